import json
from pathlib import Path

import pytest

from localcloud.controlplane.roles import PERMISSIONS, ROLES

# Google's lists as of August 2026, of the roles that the relay or its deployer uses.
GOOGLES: dict[str, list[str]] = json.loads(
    (Path(__file__).parents[2] / "infra" / "roles.json").read_text()
)


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_role_holds_the_permissions_that_google_lists(role: str) -> None:
    assert ROLES[role] == PERMISSIONS & set(GOOGLES[role])


def test_every_known_permission_exists_at_google() -> None:
    assert {each for listed in GOOGLES.values() for each in listed} >= PERMISSIONS
