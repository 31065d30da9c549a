"""Running Terraform on a copy of the configuration, so that nothing of it lands in the checkout."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.infra.project import project

REPOSITORY = Path(__file__).parents[2]
MINIMUM_VERSION = (1, 11)
INSTALL = "install Terraform 1.11 or newer: https://developer.hashicorp.com/terraform/install"
SECONDS = 150


def missing_terraform() -> str | None:
    """Return why Terraform cannot be used here and what to do about it, or None if it can."""
    if shutil.which("terraform") is None:
        return f"terraform is not here: {INSTALL}"
    told = subprocess.run(["terraform", "version"], capture_output=True, text=True, check=True)
    found = re.search(r"v(\d+)\.(\d+)", told.stdout)
    if found is None or tuple(map(int, found.groups())) < MINIMUM_VERSION:
        return f"terraform is too old: {INSTALL}"
    return None


@dataclass(frozen=True)
class Workspace:
    """A copy of `infra/` beside the code that it deploys.

    The environment's `TF_CLI_ARGS_init` says where providers come from; the registry, if unset.
    """

    root: Path

    @property
    def infra(self) -> Path:
        """Return the copied root module."""
        return self.root / "infra"

    def run(
        self, *arguments: str, at: str = ".", environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run Terraform in a directory of the copy and return what it said."""
        process = subprocess.Popen(
            ["terraform", *arguments],
            cwd=self.infra / at,
            env=_environment() | dict(environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            output, errors = process.communicate(timeout=SECONDS)
        finally:
            # `terraform test` leaves some of its providers running.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def require(
        self, *arguments: str, at: str = ".", environ: Mapping[str, str] | None = None
    ) -> str:
        """Run Terraform, which must succeed, and return its output."""
        done = self.run(*arguments, at=at, environ=environ)
        assert done.returncode == 0, f"terraform {arguments[0]}: {done.stderr or done.stdout}"
        return done.stdout

    def init(self, at: str = ".") -> None:
        """Fetch the providers and modules of a directory; all but the root's are the root's."""
        arguments = ["-backend=false", "-input=false", "-no-color"]
        if at == ".":
            self.require("init", *arguments)
            return
        providers = self.infra / ".terraform" / "providers"
        environ = {"TF_CLI_ARGS_init": "", "TF_PLUGIN_CACHE_DIR": ""}
        self.require("init", *arguments, f"-plugin-dir={providers}", at=at, environ=environ)

    def plan(self, at: str, variables: Mapping[str, str], *, api_key: str) -> dict[str, Any]:
        """Return the plan of an empty project, as `terraform show -json` has it.

        Nothing is asked of Google but the project's number, and that of a stand-in.
        """
        given = [f"-var={name}={value}" for name, value in variables.items()]
        options = ("-no-color", "-input=false", "-out=test.tfplan")
        with project() as environ:
            environ |= {"TF_VAR_gemini_api_key": api_key}
            self.require("plan", *options, *given, at=at, environ=environ)
        plan: dict[str, Any] = json.loads(self.require("show", "-json", "test.tfplan", at=at))
        return plan

    def test(self, *arguments: str, at: str = ".") -> Sequence[dict[str, Any]]:
        """Run `terraform test` and return its events."""
        done = self.run("test", "-json", *arguments, at=at)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def _environment() -> dict[str, str]:
    environ = dict(os.environ)
    if not Path(environ.get("TF_CLI_CONFIG_FILE", os.devnull)).exists():
        del environ["TF_CLI_CONFIG_FILE"]
    # From a directory of packed providers Terraform unpacks into the cache anew each time, and
    # fails where another process runs what lies there.
    if "-plugin-dir" in environ.get("TF_CLI_ARGS_init", ""):
        environ.pop("TF_PLUGIN_CACHE_DIR", None)
    return environ | {
        "CHECKPOINT_DISABLE": "1",
        # Taking a mocked deployment down asks nobody for a real identity token.
        "REGISTRAR_IDENTITY_TOKEN": "none",
        "TF_IN_AUTOMATION": "1",
    }


def copy_configuration(root: Path) -> Path:
    """Copy what a deployment is made from into `root`, but for Terraform's own leavings."""
    leavings = shutil.ignore_patterns(
        ".terraform", "*.lock.hcl", "*.tfplan", "*.tfstate*", "__pycache__"
    )
    for name in ("functions", "infra"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=leavings)
    shutil.copy(REPOSITORY / "requirements.txt", root)
    return root
