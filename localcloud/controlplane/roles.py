"""Google's predefined roles, each with those of its permissions that the local cloud knows.

`roles.json` beside this module names, for each permission, every role that holds it, without
`roles/`. A test compares it with Google's own lists in `tests/infra/roles.json`, which are those of
https://cloud.google.com/iam/docs/roles-permissions: a role that is missing is added to both.
"""

import json
from pathlib import Path

_HOLDERS: dict[str, list[str]] = json.loads(Path(__file__).with_name("roles.json").read_text())

PERMISSIONS = frozenset(_HOLDERS)
"""Every permission that is known here; a custom role may hold no other."""

ROLES: dict[str, frozenset[str]] = {
    f"roles/{role}": frozenset(name for name, holders in _HOLDERS.items() if role in holders)
    for role in sorted({role for holders in _HOLDERS.values() for role in holders})
}
"""The predefined roles."""

OWNER = "roles/owner"

_BEYOND_OWNER = frozenset(
    f"iam.serviceAccounts.{action}"
    for action in ("getAccessToken", "getOpenIdToken", "implicitDelegation", "signBlob", "signJwt")
)
"""What not even an owner may do to a service account without a grant of its own."""


def grants(role: str, permission: str) -> bool:
    """Return whether a predefined role, or the owner's, holds a permission."""
    if role == OWNER:
        return permission not in _BEYOND_OWNER
    return permission in ROLES.get(role, frozenset())


def is_predefined(role: str) -> bool:
    """Return whether a role is one of Google's that is known here."""
    return role == OWNER or role in ROLES
