"""The roles of whoever applies, as `docs/deploy.md` lists them."""

import re

from tests.infra.workspace import REPOSITORY


def _section() -> str:
    page = (REPOSITORY / "docs/deploy.md").read_text("utf-8")
    return page.partition("### Who may apply")[2].partition("\n## ")[0]


def _roles(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"`(roles/[\w.]+)`", text))


ROLES = _roles("\n".join(line for line in _section().splitlines() if line.startswith("|")))
"""Those on the project, which every deployment needs."""

ELSEWHERE = _roles(_section()) - ROLES
"""Those on a key or a table of somebody else's, which some options need."""
