"""Prints what CHANGELOG.md says about a version: `python .ci/notes.py v1.2.0`.

The tag must be the version in pyproject.toml.
"""

import re
import sys
import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def main(tag: str) -> None:
    """Print the notes; exit with a message if there are none or the tag is another version's."""
    version = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    if tag != f"v{version}":
        sys.exit(f"{tag} is not the tag of version {version}, which pyproject.toml names")
    notes = section((_ROOT / "CHANGELOG.md").read_text("utf-8"), version)
    if not notes:
        sys.exit(f"CHANGELOG.md has no section `## {version}`, or an empty one")
    print(notes)


def section(changelog: str, version: str) -> str:
    """Return the text below the heading of the version (`## 1.2.0` or `## [1.2.0] - date`)."""
    heading = rf"^## \[?{re.escape(version)}\]?(?: .*)?$"
    parts = re.split(heading, changelog, maxsplit=1, flags=re.MULTILINE)
    return (
        re.split(r"^## ", parts[1], maxsplit=1, flags=re.MULTILINE)[0].strip() if parts[1:] else ""
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
