import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.infra.workspace import REPOSITORY, Workspace

# One worker of a parallel run makes the fixtures once.
pytestmark = pytest.mark.xdist_group("terraform-static")

INFRA = REPOSITORY / "infra"
DIRECTORIES = [
    ".",
    *sorted(str(path.parent.relative_to(INFRA)) for path in INFRA.glob("*/*/main.tf")),
]


def test_formatted(workspace: Workspace) -> None:
    done = workspace.run("fmt", "-check", "-recursive", "-diff")
    assert done.returncode == 0, f"run `terraform fmt -recursive infra`:\n{done.stdout}"


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_valid(workspace: Workspace, directory: str) -> None:
    if directory != ".":
        workspace.init(directory)
    assert "Success!" in workspace.require("validate", "-no-color", at=directory)


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
