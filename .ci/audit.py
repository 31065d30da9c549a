"""Audits pinned requirements for known vulnerabilities: `python .ci/audit.py requirements.txt…`.

A known vulnerability fails (exit status 1), and nothing else does: what cannot be looked up, since
the database is out of reach or does not know the package, is said and passes. A build must not
depend on somebody else's server being up, and the next build looks again.
"""

import json
import subprocess
import sys
from typing import Any

_SECONDS = 120


def main(files: list[str]) -> int:
    """Audit the files; return the exit status."""
    found = False
    for file in files:
        report = _report(file)
        if report is None:
            continue
        known, skipped = judge(report)
        for line in known:
            print(f"{file}: {line}")
        if skipped:
            print(
                f"{file}: {skipped} of {len(report['dependencies'])} packages not in the database"
            )
        found = found or bool(known)
    return 1 if found else 0


def judge(report: dict[str, Any]) -> tuple[list[str], int]:
    """Return a line for each known vulnerability, and how many packages were not looked up.

    `report` is what `pip-audit --format json` writes.
    """
    known = []
    for package in report["dependencies"]:
        for each in package.get("vulns", ()):
            fixed = ", ".join(each.get("fix_versions", ())) or "no version yet"
            known.append(f"{package['name']} {package['version']}: {each['id']}, fixed in {fixed}")
    return known, sum("skip_reason" in package for package in report["dependencies"])


def _report(file: str) -> dict[str, Any] | None:
    options = ["--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json"]
    command = [sys.executable, "-m", "pip_audit", *options, "--requirement", file]
    try:
        audit = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        report: dict[str, Any] = json.loads(audit.stdout)
    except subprocess.TimeoutExpired:
        print(f"{file}: not audited: no answer within {_SECONDS} s")
        return None
    except ValueError:
        reason = (audit.stderr.strip().splitlines() or ["no report"])[-1]
        print(f"{file}: not audited: {reason[:300]}")
        return None
    return report


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
