import re
import subprocess
import sys

from tests.infra.workspace import REPOSITORY

INFRA = REPOSITORY / "infra"
PAGE = REPOSITORY / "docs" / "inputs-outputs.md"


def test_the_page_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(INFRA / "tables.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_input_and_output_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    declared = [
        name
        for file, kind in (("variables.tf", "variable"), ("outputs.tf", "output"))
        for name in re.findall(rf'^{kind} "(\w+)"', (INFRA / file).read_text(), re.MULTILINE)
    ]
    assert rows == declared


def test_required_are_the_three() -> None:
    required = re.findall(r"^\| `(\w+)` .*\*\*required\*\* \|$", PAGE.read_text(), re.MULTILINE)
    assert required == ["gemini_api_key", "project", "region"]
