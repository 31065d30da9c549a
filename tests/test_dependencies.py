import importlib.metadata
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-fuzz.txt")


def audited(tmp_path: Path, said: str, *, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the audit with a pip-audit that says this."""
    module = tmp_path / "pip_audit.py"
    module.write_text(f"import sys\nprint({said!r})\nprint('out of reach', file=sys.stderr)\n")
    with module.open("a") as file:
        file.write(f"sys.exit({status})\n")
    return subprocess.run(
        [sys.executable, str(ROOT / ".ci/audit.py"), str(ROOT / LOCKS[0])],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )


def report(**package: Any) -> str:
    return json.dumps({"dependencies": [{"name": "example", "version": "1.0", **package}]})


@pytest.mark.parametrize("name", LOCKS)
def test_everything_is_pinned_with_its_hash(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    entries = re.split(r"\n(?=\S)", text.replace("\\\n", " "))
    pinned = [entry for entry in entries if entry.strip() and not entry.startswith("#")]
    assert pinned
    for entry in pinned:
        assert re.match(r"[a-z0-9.-]+(\[[a-z0-9,-]+\])?==\S+ ", entry), entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]


def pins(name: str) -> Iterator[Requirement]:
    for line in (ROOT / name).read_text("utf-8").splitlines():
        if line[:1].isalnum():
            yield Requirement(line.removesuffix("\\"))


def wanted(pin: Requirement) -> Iterator[Requirement]:
    """Yield what the pinned distribution, with the pinned extras, asks for on this machine."""
    if pin.marker and not pin.marker.evaluate():
        return
    for text in importlib.metadata.requires(pin.name) or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if not marker or any(marker.evaluate({"extra": extra}) for extra in ("", *pin.extras)):
            yield requirement


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_what_is_asked_for_with_an_extra_is_pinned_with_and_without_it(name: str) -> None:
    """Pip before 23.3 refuses a lock with hashes otherwise."""
    pinned: dict[str, list[set[str]]] = {}
    for pin in pins(name):
        pinned.setdefault(canonicalize_name(pin.name), []).append(pin.extras)
    with_extras = []
    for pin in pins(name):
        for requirement in wanted(pin):
            if requirement.extras:
                known = pinned[canonicalize_name(requirement.name)]
                assert set() in known, f"{requirement} by {pin}"
                assert any(requirement.extras <= extras for extras in known), f"{requirement}"
                with_extras.append(requirement.name)
    assert "google-api-core" in with_extras


def test_a_pin_with_an_extra_is_repeated_without_it() -> None:
    pin = "example[one,two]==1.0 ; python_version < '3.12' \\\n    --hash=sha256:00\n    # via x\n"
    other = "other==2.0 \\\n    --hash=sha256:11\n"
    both = runpy.run_path(str(ROOT / ".ci/extras.py"))["both"]
    assert both(other + pin + other) == other + pin.replace("[one,two]", "") + pin + other


def project() -> list[Requirement]:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    return [Requirement(each) for each in tomllib.loads(text)["project"]["dependencies"]]


def test_the_locks_pin_all_that_is_listed() -> None:
    """`make lock` was not forgotten."""
    for listed, lock in (
        ([*pins("requirements.in")], "requirements.txt"),
        ([*pins("requirements-dev.in"), *project()], "requirements-dev.txt"),
    ):
        pinned = {canonicalize_name(pin.name): pin.specifier for pin in pins(lock)}
        for each in listed:
            [version] = pinned[canonicalize_name(each.name)]
            assert each.specifier.contains(version.version), f"{each} in {lock}"


def test_the_command_installs_by_itself_with_what_the_tests_run_with() -> None:
    """A constraint is needed for all that is installed, and takes neither extras nor hashes."""
    alone = {canonicalize_name(pin.name): pin for pin in pins("requirements-hooks.txt")}
    tested = {canonicalize_name(pin.name): pin.specifier for pin in pins("requirements-dev.txt")}
    assert {name: pin.specifier for name, pin in alone.items()} == {
        name: tested[name] for name in alone
    }
    assert not [pin for pin in alone.values() if pin.extras]
    needed, seen = list(project()), set()
    while needed:
        requirement = needed.pop()
        name = canonicalize_name(requirement.name)
        known = name, frozenset(requirement.extras)
        if known in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(known)
        [version] = alone[name].specifier
        assert requirement.specifier.contains(version.version), requirement
        needed += wanted(Requirement(f"{name}[{','.join(requirement.extras)}]"))
    assert len(seen) > 30


def test_the_command_depends_on_all_that_the_functions_depend_on() -> None:
    """The distribution holds the functions' modules, too."""
    command = {(each.name, str(each.marker)) for each in project()}
    functions = {(pin.name, str(pin.marker)) for pin in pins("requirements.in")}
    assert functions
    assert functions <= command


def test_a_known_vulnerability_fails_the_audit(tmp_path: Path) -> None:
    vulnerable = report(vulns=[{"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}])
    outcome = audited(tmp_path, vulnerable, status=1)
    assert outcome.returncode == 1
    assert "example 1.0: PYSEC-2026-1, fixed in 1.1" in outcome.stdout


def test_one_without_a_fix_fails_it_too(tmp_path: Path) -> None:
    outcome = audited(tmp_path, report(vulns=[{"id": "PYSEC-2026-2", "fix_versions": []}]))
    assert outcome.returncode == 1
    assert "fixed in no version yet" in outcome.stdout


def test_nothing_known_passes(tmp_path: Path) -> None:
    outcome = audited(tmp_path, report(vulns=[]))
    assert (outcome.returncode, outcome.stdout) == (0, "")


def test_what_cannot_be_looked_up_is_said_and_passes(tmp_path: Path) -> None:
    unknown = audited(tmp_path, report(skip_reason="not found"))
    assert unknown.returncode == 0
    assert "1 of 1 packages not in the database" in unknown.stdout
    unreachable = audited(tmp_path, "", status=1)
    assert unreachable.returncode == 0
    assert "not audited: out of reach" in unreachable.stdout


def test_actions_are_pinned_by_digest() -> None:
    workflows = [
        *(ROOT / ".github/workflows").glob("*.yml"),
        *(ROOT / "infra/examples").rglob("*.yml"),
    ]
    uses = [
        line.split("uses:")[1].strip()
        for workflow in workflows
        for line in workflow.read_text("utf-8").splitlines()
        if "uses:" in line
    ]
    pinned = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    foreign = [action for action in uses if not action.startswith("./")]
    assert len(foreign) > 3
    assert [action for action in foreign if not pinned.fullmatch(action)] == []


CHANGELOG = """# Changelog

## Unreleased

- Later.

## [1.2.0] - 2026-11-26

### Added

- This.

## 1.1.0

- Before.
"""


@pytest.mark.parametrize(
    ("version", "notes"), [("1.2.0", "### Added\n\n- This."), ("1.1.0", "- Before."), ("1.2", "")]
)
def test_the_notes_of_a_release_are_its_section_of_the_changelog(version: str, notes: str) -> None:
    assert runpy.run_path(str(ROOT / ".ci/notes.py"))["section"](CHANGELOG, version) == notes


def test_a_tag_of_another_version_is_refused() -> None:
    command = [sys.executable, str(ROOT / ".ci/notes.py"), "v99.0.0"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "v99.0.0 is not the tag of version" in refused.stderr
