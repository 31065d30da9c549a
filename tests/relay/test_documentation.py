"""The README's tables name exactly the variables that the functions read."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
READERS = {"text", "required", "integer", "items", "topic", "secret", "https_uri", "database"}

BY_OTHERS = {"K_SERVICE", "FIRESTORE_EMULATOR_HOST"}
"""Set by the platform alone, and read by a client library alone."""


def variables_read() -> Iterator[str]:
    for file in (ROOT / "functions").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr=method), args=[ast.Constant(value=str(name)), *_]
                ) if method in READERS and name.isupper():
                    yield name


def test_the_readme_names_every_variable_and_no_other() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    prose = re.findall(r"`([A-Z_]+_EMULATOR_HOST)`", (ROOT / "README.md").read_text())
    read = {*variables_read(), "GOOGLE_CLOUD_PROJECT"}
    assert {*rows, *prose} - BY_OTHERS == read - BY_OTHERS
