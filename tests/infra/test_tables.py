import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.workspace import REPOSITORY

INFRA = REPOSITORY / "infra"
PAGE = REPOSITORY / "docs" / "inputs-outputs.md"
TABLES = {
    ".": PAGE,
    **{
        str(path.parent.relative_to(INFRA)): path.with_name("README.md")
        for path in sorted(INFRA.glob("modules/*/variables.tf"))
    },
}


def run(*arguments: str, at: Path = INFRA) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(at / "tables.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tables_are_current() -> None:
    done = run("--check")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", TABLES)
def test_every_input_and_output_has_a_row(module: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", TABLES[module].read_text(), re.MULTILINE)
    declared = [
        name
        for file, kind in (("variables.tf", "variable"), ("outputs.tf", "output"))
        for name in re.findall(
            rf'^{kind} "(\w+)"', (INFRA / module / file).read_text(), re.MULTILINE
        )
    ]
    assert rows == declared


def test_three_inputs_are_required() -> None:
    required = re.findall(r"^\| `(\w+)` .*\*\*required\*\* \|$", PAGE.read_text(), re.MULTILINE)
    assert required == ["gemini_api_key", "project", "region"]


VARIABLES = """\
variable "first" {
  description = <<-EOT
    Begins here
    and ends | there.
  EOT
  type        = string
}

variable "second" {
  description = "Says \\"so\\"."
  type = object({
    size = optional(number, 1)
  })
  default = {}
}
"""
OUTPUTS = """\
output "name" {
  description = "Name."
  value       = "x"
}
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A copy of the generator beside a root module and a module, both small."""
    infra = tmp_path / "infra"
    folder = infra / "modules" / "small"
    folder.mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / PAGE.name).touch()
    (infra / "tables.py").write_text((INFRA / "tables.py").read_text())
    for at in (infra, folder):
        (at / "variables.tf").write_text(VARIABLES)
        (at / "outputs.tf").write_text(OUTPUTS)
    marked = (INFRA / "modules" / "topics" / "README.md").read_text()
    begin, end = re.findall(r"^<!--.*-->$", marked, re.MULTILINE)
    (folder / "README.md").write_text(f"# small\n\nBefore.\n\n{begin}\nold\n{end}\n\nAfter.\n")
    return folder


def test_tables_are_written_between_the_markers(module: Path) -> None:
    infra = module.parents[1]
    assert run("--check", at=infra).returncode != 0
    assert run(at=infra).returncode == 0
    assert run("--check", at=infra).returncode == 0
    text = (module / "README.md").read_text()
    assert text.startswith("# small\n\nBefore.\n")
    assert text.endswith("-->\n\nAfter.\n")
    assert "old" not in text
    assert "| `first` | Begins here and ends \\| there. | `string` | **required** |" in text
    assert '| `second` | Says "so". | [object](variables.tf#L9) | `{}` |' in text
    assert "| `name` | Name. |" in text
    page = (infra.parent / "docs" / PAGE.name).read_text()
    assert "[object](#second)" in page
    assert "### second\n\n```hcl\nobject({\n  size = optional(number, 1)\n})\n```" in page


def test_a_readme_without_markers_is_refused(module: Path) -> None:
    readme = module / "README.md"
    readme.write_text("# small\n")
    done = run(at=module.parents[1])
    assert done.returncode != 0
    assert f"{readme} has no place for the tables" in done.stderr
    assert readme.read_text() == "# small\n"
