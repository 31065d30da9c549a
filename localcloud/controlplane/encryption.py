"""Checks that a service agent may use a resource's customer-managed key."""

from localcloud.controlplane.errors import ApiError
from localcloud.controlplane.state import State

_USE = "cloudkms.cryptoKeyVersions.useToEncrypt"


def check_key(state: State, key: str | None, member: str) -> None:
    """Refuse a key that the service agent `member` may not encrypt with; None is no key."""
    if not key:
        return
    exists = state.project.by_id(key) in state.resources
    if not exists or not state.policies.allows(member, _USE, key):
        raise ApiError(
            "PERMISSION_DENIED",
            f"Cloud KMS error when using key {key}: Permission '{_USE}' denied on resource "
            f"'{key}' (or it may not exist) for {member.partition(':')[2]}.",
        )
