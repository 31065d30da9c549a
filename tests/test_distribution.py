"""What `pip install .` and `pip install ./client` install."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the content of the wheel."""
    dist = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*command, "--directory", str(dist)], cwd=ROOT, check=True, capture_output=True)
    [wheel] = dist.glob("gemini_webhook_relay-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(dist / "site")
    return dist / "site"


def said(installed: Path, *arguments: str) -> str:
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(installed)!r})\n"]
    command[-1] += arguments[0]
    return subprocess.check_output([*command, *arguments[1:]], text=True, cwd=installed).strip()


def test_the_wheel_brings_the_command(installed: Path) -> None:
    shown = said(installed, "from hooks.cli import main; main()", "--help")
    assert "dlq" in shown
    entry_points = next(installed.glob("*.dist-info/entry_points.txt")).read_text()
    assert "hooks = hooks.cli:main" in entry_points


def test_the_wheel_brings_the_functions_and_their_lock(installed: Path) -> None:
    statement = "from localcloud.runner.process import FUNCTIONS; print(FUNCTIONS)"
    functions = Path(said(installed, statement))
    assert functions == installed / "localcloud/deployed/functions"
    assert (functions.parent / "requirements.txt").read_bytes() == (
        ROOT / "requirements.txt"
    ).read_bytes()
    source = {path.relative_to(ROOT / "functions") for path in (ROOT / "functions").rglob("*.py")}
    assert {path.relative_to(functions) for path in functions.rglob("*")} >= source
    assert not list(functions.rglob("*.pyc"))


def test_the_wheel_installs_the_command_in_an_environment_of_its_own(
    installed: Path, tmp_path: Path
) -> None:
    [wheel] = installed.parent.glob("*.whl")
    python = tmp_path / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True)
    # The dependencies are those of this environment, whose versions requirements-hooks.txt pins.
    [site] = tmp_path.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    shown = subprocess.check_output([tmp_path / "bin" / "hooks", "--version"], text=True, env={})
    where = "import hooks, relay; print(hooks.__file__, relay.__file__)"
    files = subprocess.check_output([python, "-I", "-c", where], text=True, env={}).split()
    assert shown.startswith("hooks ")
    assert all(Path(file).is_relative_to(site) for file in files)


def test_the_wheel_brings_no_tests_and_no_terraform(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == {
        *("gemini_relay", "hooks", "localcloud", "relay")
    }
    assert not list(installed.rglob("*.tf*"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory into which pip has installed the client library from this checkout."""
    target = tmp_path_factory.mktemp("client")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*command, *offline, "./client"], cwd=ROOT, check=True, capture_output=True)
    return target


def test_the_client_alone_starts_without_the_functions_and_the_command(client: Path) -> None:
    assert {path.name for path in client.iterdir() if not path.name.endswith(".dist-info")} == {
        *("gemini_relay", "relay")
    }
    assert {path.name for path in (client / "relay").iterdir()} - {"__pycache__"} == {
        *("__init__.py", "jobs")
    }
    # Behind it, what it depends on; an editable installation is not followed from there.
    packages = Path(pytest.__file__).parents[1]
    statement = f"""
import os
sys.path.append({str(packages)!r})
import gemini_relay, gemini_relay.ledger, relay.jobs
environ = {{"GEMINI_API_KEY": "k", "JOBS_DATABASE": "jobs", "GOOGLE_CLOUD_PROJECT": "p",
            "FIRESTORE_EMULATOR_HOST": "localhost:1"}}
gemini_relay.AsyncJobs.from_environ(environ)
unwanted = {{"functions_framework", "hooks", "localcloud", "starlette"}} & set(sys.modules)
print(gemini_relay.__file__, relay.jobs.__file__, unwanted)
"""
    library, shared, unwanted = said(client, statement).split(" ", 2)
    assert Path(library).is_relative_to(client)
    assert Path(shared).is_relative_to(client)
    assert unwanted == "set()"
