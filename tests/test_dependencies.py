import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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
