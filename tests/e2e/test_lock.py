"""The functions run on what requirements.txt pins, and on nothing else of this machine's."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import pytest_asyncio

import main
from localcloud.runner.process import FUNCTIONS, FunctionProcess, deployed_python

# The first run on a machine downloads what is pinned, and keeps it.
pytestmark = pytest.mark.timeout(600)

_PROJECT = {"GOOGLE_CLOUD_PROJECT": "laptop"}
_SECRET = "projects/laptop/secrets/signing"
_ENVIRONMENTS = {
    "receive": {"SIGNING_SECRET": _SECRET},
    "dispatch": {},
    "registrar": {
        "SIGNING_SECRET": _SECRET,
        "WEBHOOK_URI": "https://receive.example",
        "GEMINI_API_KEY": "nobody's",
        "FIRESTORE_DATABASE": "relay",
    },
    "reconcile": {"JOBS_DATABASE": "jobs", "GEMINI_API_KEY": "nobody's"},
    "collect": {"BUCKET": "results", "GEMINI_API_KEY": "nobody's"},
}
_IMPORT_ALL = """
import importlib, pathlib, sys
functions = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(functions))
for path in sorted(functions.rglob("*.py")):
    name = ".".join(path.relative_to(functions).with_suffix("").parts).removesuffix(".__init__")
    importlib.import_module(name)
    print(name)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def python() -> Path:
    """Return the Python of an environment that holds what is deployed."""
    return await deployed_python()


def test_every_module_can_be_imported(python: Path) -> None:
    command = [str(python), "-I", "-c", _IMPORT_ALL, str(FUNCTIONS)]
    imported = subprocess.run(command, capture_output=True, text=True, check=False)
    assert imported.returncode == 0, imported.stderr
    assert {"main", "relay.registrar.vault"} <= set(imported.stdout.split())


def test_every_entry_point_is_started() -> None:
    assert _ENVIRONMENTS.keys() == main._HOPS.keys()


@pytest.mark.parametrize(("target", "environ"), _ENVIRONMENTS.items())
async def test_each_function_starts(target: str, environ: Mapping[str, str]) -> None:
    environ = {**_PROJECT, **environ}
    async with FunctionProcess(target, target=target, environ=environ) as function:
        assert function.pid
