import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMED = sorted(
    set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text("utf-8")))
)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_test_that_the_threat_model_names_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert name in {node.name for node in tree.body if isinstance(node, functions)}


def test_every_row_of_the_threat_model_names_one() -> None:
    lines = (ROOT / "SECURITY.md").read_text("utf-8").splitlines()
    table = False
    rows = []
    for line in lines:
        table = line.startswith("|") and (table or line.endswith("| shown by |"))
        if table and not line.startswith("|---") and not line.endswith("| shown by |"):
            rows.append(line)
    assert rows
    assert not [row for row in rows if not re.search(r"`tests/[\w/]+\.py::\w+`", row)]
