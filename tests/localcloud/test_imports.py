"""The folders of `localcloud` import in one direction, and of the rest only what they say."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

LOCALCLOUD = Path(__file__).parents[2] / "localcloud"
SERVICES = {"pubsub", "firestore", "secretmanager", "gemini", "runner"}
MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    **{name: {"core"} for name in SERVICES},
    "controlplane": {"core", *SERVICES} - {"gemini"},
    "laptop": {"core", "controlplane", *SERVICES},
}
OURS = {"hooks", "relay", "tests", "bench"}


def imported(folder: str) -> Iterator[tuple[str, str]]:
    """Yield each file of a folder with each module that it imports, wherever in it."""
    for path in sorted((LOCALCLOUD / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{each.name}" for each in node.names]
            elif isinstance(node, ast.Import):
                names = [each.name for each in node.names]
            else:
                continue
            yield from ((str(path.relative_to(LOCALCLOUD)), name) for name in names)


def test_the_rules_name_every_folder() -> None:
    assert MAY_IMPORT.keys() == {path.parent.name for path in LOCALCLOUD.glob("*/__init__.py")}


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT))
def test_a_folder_imports_only_the_folders_before_it(folder: str) -> None:
    allowed = {*MAY_IMPORT[folder], folder}
    for path, module in imported(folder):
        first, *rest = module.split(".")
        if first == "localcloud":
            assert rest[0] in allowed, f"{path} imports {module}"


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT))
def test_only_the_laptop_imports_the_relay(folder: str) -> None:
    allowed = {"relay"} if folder == "laptop" else set()
    found = {module.split(".")[0] for _, module in imported(folder)} & OURS
    assert found <= allowed


def test_the_planes_do_not_import_the_cloud() -> None:
    for path, module in imported("controlplane/planes"):
        assert not module.startswith("localcloud.controlplane.cloud"), path
