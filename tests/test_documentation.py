"""The Markdown pages: how wide they are, that links lead somewhere, that the map is complete."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 100


def files(*patterns: str) -> list[Path]:
    """The checkout's files: those in Git's index, and those that it does not ignore."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns)
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    return sorted(path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file())


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


PAGES = [pytest.param(path, id=relative(path)) for path in files("*.md")]


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a page that are in no code block."""
    fenced = False
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = (line.lstrip("#").strip() for _, line in prose(page) if re.match("#+ ", line))
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def too_wide(line: str) -> bool:
    if len(line) <= WIDTH or line.startswith("|"):
        return False
    # A link cannot be broken; what stands before it on its line can.
    before, _, last = line.rpartition(" ")
    return bool(before.strip()) or not re.search(r"\]\(|://", last)


@pytest.mark.parametrize("page", PAGES)
def test_lines_fit(page: Path) -> None:
    assert not [f"{number}: {line}" for number, line in prose(page) if too_wide(line)]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    text = "\n".join(line for _, line in prose(page))
    for target in re.findall(r"\]\(([^()\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if re.match(r"\w+:", target):
            continue
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if there.suffix == ".md":
            assert not anchor or anchor in anchors(there), target
        elif anchor:
            # GitHub's own: a line of a file.
            line = int(anchor.removeprefix("L"))
            assert 1 <= line <= len(there.read_text("utf-8").splitlines()), target


PRODUCT_PAGES = [param for param in PAGES if "bench" not in str(param.id)]


@pytest.mark.parametrize("page", PRODUCT_PAGES)
def test_the_product_has_one_name(page: Path) -> None:
    assert not re.search(r"\b[Kk]it\b", page.read_text("utf-8"))


def mirrors(folder: str) -> bool:
    """Whether a folder of tests mirrors one of the code, which the map names instead."""
    path = folder.removeprefix("tests/")
    return path != folder and any((ROOT / under / path).is_dir() for under in ("", "functions"))


def test_the_map_names_every_folder_with_code() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    mapped = re.findall(r"^\| `([\w./-]+)/` \|", page, re.MULTILINE)
    code = files("*.py", "*.tf", "*.go", "*.json", "*.md")
    folders = {relative(path.parent) for path in code if path.parent != ROOT}

    assert sorted(each for each in folders - set(mapped) if not mirrors(each)) == []
    assert [each for each in mapped if not (ROOT / each).is_dir()] == []
    assert len(mapped) == len(set(mapped))


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text("utf-8")
    linked = re.findall(r"^- \[(\d{4})\]\((\1-[\w-]+\.md)\): ", index, re.MULTILINE)
    records = [path.name for path in files("docs/decisions/0*.md")]
    assert [name for _, name in linked] == records
