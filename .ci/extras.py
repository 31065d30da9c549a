"""Lists what a lock pins with an extra without that extra as well: `python .ci/extras.py FILE…`.

Where a package asks for `google-auth[requests]`, pip before 23.3 wants two pins with their hashes:
`google-auth[requests]==…` and `google-auth==…`. uv writes the first alone, or with
`--strip-extras` the second alone.
"""

import re
import sys
from pathlib import Path

_WITH_EXTRA = re.compile(r"^([a-z0-9.-]+)\[[a-z0-9,-]+\](==.*\n(?: +.*\n)*)", re.MULTILINE)


def main(files: list[str]) -> None:
    """Rewrite the files."""
    for file in files:
        path = Path(file)
        path.write_text(both(path.read_text("utf-8")), "utf-8")


def both(lock: str) -> str:
    """Return the lock with every pin that names an extra preceded by the same pin without it."""
    return _WITH_EXTRA.sub(r"\1\2\g<0>", lock)


if __name__ == "__main__":
    main(sys.argv[1:])
