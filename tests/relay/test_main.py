"""What a function loads, and how a wrong environment stops its start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"

# Heavy packages that a hop must not load, by the target that must not load them.
FOREIGN = {
    "receive": ["google.cloud.firestore", "google.genai", "google.cloud.secretmanager"],
    "dispatch": ["google.genai", "google.cloud.secretmanager"],
}
ENVIRONMENT = {
    "GOOGLE_CLOUD_PROJECT": "my-project",
    "WEBHOOK_SIGNING_SECRET": "whsec_" + "A" * 32,
}


def run(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": str(FUNCTIONS)}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=path | environ, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("target", FOREIGN)
def test_each_hop_imports_only_what_it_needs(target: str) -> None:
    done = run(f"import main, sys; main.{target}; print(*sys.modules)", **ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert not loaded.intersection(FOREIGN[target])


def test_a_wrong_environment_stops_the_start_with_a_message() -> None:
    done = run("import main; main.receive")
    assert done.returncode == 1
    assert done.stderr == (
        "receive cannot start: GOOGLE_CLOUD_PROJECT is not set; "
        "for example GOOGLE_CLOUD_PROJECT=my-project\n"
    )


def test_an_unknown_target_is_no_attribute() -> None:
    done = run("import main; print(hasattr(main, 'elsewhere'))")
    assert done.stdout == "False\n", done.stderr


def test_the_framework_sees_one_function_by_its_own_name() -> None:
    code = (
        "import main, types; from functions_framework import _function_registry as registry;"
        "assert main.receive is main.receive; assert isinstance(main.receive, types.FunctionType);"
        "assert main.receive.__name__ == 'receive' in registry.ASGI_FUNCTIONS"
    )
    done = run(code, **ENVIRONMENT)
    assert done.returncode == 0, done.stderr
