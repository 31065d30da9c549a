"""The page on Google's unkindness: every behaviour, with its source and the test for it."""

import ast
import dataclasses
import itertools
import re
import subprocess

import pytest

from localcloud.controlplane import realism
from tests.infra.deployer import ROLES
from tests.infra.workspace import REPOSITORY

PAGE = (REPOSITORY / "docs/imitation.md").read_text("utf-8")
ROWS = {
    found[1]: line for line in PAGE.splitlines() if (found := re.match(r"\| `([a-z_]+)`: ", line))
}
TESTS = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)


def sources() -> dict[str, set[str]]:
    """Return the addresses in the docstring below each field."""
    tree = ast.parse((REPOSITORY / "localcloud/controlplane/realism.py").read_text("utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    (body,) = [each.body for each in classes if each.name == "Realism"]
    return {
        field.target.id: set(re.findall(r"https://\S+?(?=[.,;]?(?:\s|$))", text.value.value))
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def test_the_page_has_every_behaviour_with_its_source() -> None:
    fields = {each.name for each in dataclasses.fields(realism.Realism)} - {"rate"}
    assert set(ROWS) == fields
    for name, found in sources().items():
        cited = set(re.findall(r"\]\((https://[^)]+)\)", ROWS[name]))
        assert cited, name
        assert cited <= found, name


@pytest.mark.parametrize(("file", "test"), sorted(set(TESTS)))
def test_each_test_that_the_page_names_exists(file: str, test: str) -> None:
    assert f"def {test}(" in (REPOSITORY / "tests/infra" / file).read_text("utf-8")


def test_every_row_names_a_test() -> None:
    assert all(any(f"`{file}::{test}`" in row for file, test in TESTS) for row in ROWS.values())


def test_the_first_apply_is_by_somebody_with_the_listed_roles() -> None:
    page = (REPOSITORY / "docs/first-apply.md").read_text("utf-8")
    (listing,) = re.findall(r"^for role in \$\((.*?)\)\ndo$", page, re.MULTILINE | re.DOTALL)
    command = ("sh", "-c", listing)
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == ROLES
