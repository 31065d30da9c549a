"""The examples in the modules' READMEs: one configuration, since they refer to each other."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.infra.workspace import REPOSITORY, Workspace

MODULES = sorted(path.parent for path in (REPOSITORY / "infra").glob("modules/*/variables.tf"))
EXAMPLES = "../examples-of-modules"


@pytest.fixture(scope="module")
def examples(workspace: Workspace) -> Workspace:
    """The workspace, with a folder that holds the example of each README."""
    folder = workspace.infra / EXAMPLES
    folder.mkdir()
    (folder / "modules").symlink_to(workspace.infra / "modules")
    for module in MODULES:
        readme = (module / "README.md").read_text()
        (example,) = re.findall(r"^```hcl\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
        (folder / f"{module.name}.tf").write_text(example)
    workspace.init(EXAMPLES)
    return workspace


def test_examples_are_formatted(examples: Workspace) -> None:
    done = examples.run("fmt", "-check", "-diff", at=EXAMPLES)
    assert done.returncode == 0, done.stdout


def test_a_plan_of_the_examples_uses_every_module(examples: Workspace) -> None:
    plan = examples.plan(EXAMPLES, {}, api_key="not-a-real-key")
    calls = plan["configuration"]["root_module"]["module_calls"].values()
    assert sorted(call["source"] for call in calls) == [f"./modules/{m.name}" for m in MODULES]
    planned = plan["planned_values"]["root_module"]["child_modules"]
    assert {module["address"] for module in planned if any(_resources(module))} == {
        f"module.{module.name.replace('-', '_')}" for module in MODULES
    }


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from _resources(child)
