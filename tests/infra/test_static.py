import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.infra.workspace import REPOSITORY, Workspace

INFRA = REPOSITORY / "infra"
# To validate a root module is to validate every module that it calls.
ROOTS = [".", *sorted(str(path.relative_to(INFRA)) for path in INFRA.glob("examples/*"))]


def test_formatted(workspace: Workspace) -> None:
    done = workspace.run("fmt", "-check", "-recursive", "-diff")
    assert done.returncode == 0, f"run `terraform fmt -recursive infra`:\n{done.stdout}"


@pytest.mark.parametrize("directory", ROOTS)
def test_valid(workspace: Workspace, directory: str) -> None:
    if directory != ".":
        workspace.init(directory)
    assert "Success!" in workspace.require("validate", "-no-color", at=directory)


def test_every_module_is_called() -> None:
    called = {
        (path.parent / source).resolve()
        for path in INFRA.rglob("*.tf")
        for source in re.findall(r'^  source += "(\.[^"]+)"$', path.read_text(), re.MULTILINE)
    }
    modules = {path.parent for path in INFRA.glob("modules/*/main.tf")}
    assert modules
    assert modules <= called


def test_linted(workspace: Workspace) -> None:
    tflint = os.environ.get("TFLINT") or shutil.which("tflint")
    if not tflint:
        pytest.skip("tflint is not here: https://github.com/terraform-linters/tflint")
    done = subprocess.run(
        [tflint, "--recursive", f"--config={workspace.infra / '.tflint.hcl'}"],
        cwd=workspace.infra,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _too_long(line: str) -> bool:
    """Tell whether a line can be wrapped and is not.

    A URL, a regular expression or the full name of a resource cannot: a line that consists of one
    for the most part may have 100 columns, any other 80.
    """
    longest = max(map(len, line.split()), default=0)
    return len(line) > (100 if 2 * longest > len(line) else 80)


def test_lines_are_wrapped() -> None:
    files = [path for suffix in ("tf", "hcl", "sh") for path in INFRA.rglob(f"*.{suffix}")]
    assert len(files) > 50
    long = [
        f"{path.relative_to(INFRA)}:{number}"
        for path in files
        if ".terraform" not in path.parts and not path.name.startswith(".")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if _too_long(line)
    ]
    assert long == []


def _blocks(path: Path, kind: str) -> list[str]:
    start = f'{kind} "'
    return [
        line.removeprefix(start).split('"')[0]
        for line in path.read_text().splitlines()
        if line.startswith(start)
    ]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        pytest.param(kind, path, id=str(path.relative_to(INFRA)))
        for kind in ("variable", "output")
        for path in sorted(INFRA.rglob(f"{kind}s.tf"))
        if ".terraform" not in path.parts
    ],
)
def test_alphabetical(kind: str, path: Path) -> None:
    names = _blocks(path, kind)
    assert names
    assert names == sorted(names)
