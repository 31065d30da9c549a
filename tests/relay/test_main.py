"""What a function loads, and how a wrong environment stops its start."""

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from functions_framework import _function_registry as registry
from starlette.requests import Request
from uvicorn_worker import UvicornWorker

from relay.web.connections import BoundedConnection

FUNCTIONS = Path(__file__).parents[2] / "functions"

# Heavy packages that a hop must not load, by the target that must not load them.
FOREIGN = {
    "receive": ["google.cloud.firestore", "google.genai", "google.cloud.secretmanager"],
    "dispatch": ["google.genai", "google.cloud.secretmanager"],
    "registrar": ["google.genai", "google.pubsub_v1", "pydantic"],
    "reconcile": ["google.genai", "google.cloud.secretmanager", "pydantic"],
    "collect": ["google.genai", "google.cloud.secretmanager", "google.cloud.firestore", "pydantic"],
}
ENVIRONMENT = {
    "GOOGLE_CLOUD_PROJECT": "my-project",
    "WEBHOOK_SIGNING_SECRET": "whsec_" + "A" * 32,
}
ITS_OWN = {
    "registrar": {
        "WEBHOOK_SIGNING_SECRET": "",
        "WEBHOOK_URI": "https://receive.example",
        "SIGNING_SECRET": "projects/my-project/secrets/signing-secret",
        "GEMINI_API_KEY": "AIza",
    },
    "reconcile": {"GEMINI_API_KEY": "AIza", "JOBS_DATABASE": "gemini-jobs"},
    "collect": {"GEMINI_API_KEY": "AIza", "BUCKET": "results"},
}


def run(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": str(FUNCTIONS)}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=path | environ, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("target", FOREIGN)
def test_each_hop_imports_only_what_it_needs(target: str) -> None:
    environment = ENVIRONMENT | ITS_OWN.get(target, {})
    done = run(f"import main, sys; main.{target}; print(*sys.modules)", **environment)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert not loaded.intersection(FOREIGN[target])


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Load the module as the framework does: by its path, in an environment that is right."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(registry, "ASGI_FUNCTIONS", set())
    monkeypatch.setattr(UvicornWorker, "CONFIG_KWARGS", UvicornWorker.CONFIG_KWARGS)
    spec = spec_from_file_location("functions_main", FUNCTIONS / "main.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    gc.unfreeze()
    gc.enable()


def test_a_wrong_environment_stops_the_start_with_a_message(
    main: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    with pytest.raises(SystemExit) as stopped:
        _ = main.receive
    assert stopped.value.code == (
        "receive cannot start: GOOGLE_CLOUD_PROJECT is not set; "
        "for example GOOGLE_CLOUD_PROJECT=my-project"
    )


def test_an_unknown_target_is_no_attribute(main: ModuleType) -> None:
    assert not hasattr(main, "elsewhere")


async def test_the_framework_sees_one_function_by_its_own_name(main: ModuleType) -> None:
    assert isinstance(main.receive, FunctionType)
    assert main.receive is main.receive
    assert main.receive.__name__ == "receive"
    assert list(registry.ASGI_FUNCTIONS) == ["receive"]
    answer = await main.receive(Request({"type": "http", "method": "GET", "headers": []}))
    assert answer.status_code == 200


def test_what_is_loaded_is_left_alone_by_the_collector(main: ModuleType) -> None:
    gc.unfreeze()
    assert callable(main.receive)
    assert gc.get_freeze_count() > 10_000
    assert gc.isenabled()


def test_the_server_bounds_connections(main: ModuleType) -> None:
    assert callable(main.receive)
    assert UvicornWorker.CONFIG_KWARGS["http"] is BoundedConnection
