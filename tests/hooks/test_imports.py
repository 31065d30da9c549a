"""The groups of `hooks` are independent of each other, and the shared modules of them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HOOKS = Path(__file__).parents[2] / "hooks"
GROUPS = sorted(each.name for each in HOOKS.iterdir() if (each / "__init__.py").exists())
# Pure words about a webhook's state, which every group may say.
SHARED = {"hooks.webhook.states"}


def imported(path: Path) -> Iterator[str]:
    """Yield the modules of `hooks` that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "hooks":
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.split(".")[0] == "hooks")


def group(module: str) -> str | None:
    """Return the group that a module belongs to, None for a shared one."""
    if any(module.startswith(each) for each in SHARED):
        return None
    name = module.split(".")[1]
    return name if name in GROUPS else None


def test_the_groups_are_found() -> None:
    assert GROUPS == ["dlq", "doctor", "events", "jobs", "laptop", "webhook"]


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_imports_no_other_group(name: str) -> None:
    others = {
        f"{path.relative_to(HOOKS)}: {module}"
        for path in (HOOKS / name).rglob("*.py")
        for module in imported(path)
        if group(module) not in (None, name)
    }
    assert not others


def test_only_the_command_itself_imports_the_groups() -> None:
    importing = {
        path.name for path in HOOKS.glob("*.py") for module in imported(path) if group(module)
    }
    assert importing == {"cli.py"}
