"""What the benchmark ran on."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path

_PACKAGES = (
    "functions-framework",
    "gunicorn",
    "uvicorn",
    "uvloop",
    "httptools",
    "starlette",
    "flask",
    "grpcio",
    "protobuf",
    "google-cloud-pubsub",
    "google-cloud-firestore",
    "standardwebhooks",
)


def machine() -> Mapping[str, object]:
    """Return the facts about the machine."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "processor": _processor(),
    }


def versions(go: str) -> Mapping[str, str]:
    """Return the versions of the software; `go` is Go's, or empty."""
    found = {"Python": f"{platform.python_version()} ({_build()})"}
    found |= {name: importlib.metadata.version(name) for name in _PACKAGES}
    return found | ({"Go": go} if go else {}) | {"wrk": _wrk()}


def go_version() -> str:
    """Return Go's version, or an empty string where it is not installed."""
    if shutil.which("go") is None:
        return ""
    told = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True)
    return told.stdout.strip().removeprefix("go")


def _build() -> str:
    # Deployed images have an optimized build; others take up to half as long again.
    told = sysconfig.get_config_var("CONFIG_ARGS") or ""
    options = [name for name in ("--enable-optimizations", "--with-lto") if name in told]
    return f"built {' '.join(options)}" if options else "not built --enable-optimizations"


def _wrk() -> str:
    # It prints its version, then fails because it has no URL.
    told = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    words = told.stdout.split()
    return words[1] if len(words) > 1 else "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown")
