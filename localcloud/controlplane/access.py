"""IAM policies: who may do what, on which resource, under which condition."""

import base64
import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cel

from localcloud.controlplane import roles
from localcloud.controlplane.errors import ApiError, invalid
from localcloud.controlplane.names import Project
from localcloud.controlplane.store import Json, Resources

_MEMBER = re.compile(
    r"allUsers|allAuthenticatedUsers"
    r"|(user|serviceAccount|group):[^@\s]+@[^@\s]+|domain:\S+"
    r"|deleted:(user|serviceAccount|group):\S+"
    r"|principal(Set)?://\S+|project(Owner|Editor|Viewer):\S+"
)
_SERVICE_ACCOUNT = re.compile(r"serviceAccount:([^@]+@(.+)\.iam\.gserviceaccount\.com)")
_CUSTOM_ROLE = re.compile(r"projects/[^/]+/roles/[^/]+")


@dataclass(frozen=True)
class Binding:
    """One grant: `member` has `role` on `resource`, if `condition` (CEL, or empty) holds."""

    resource: str
    role: str
    member: str
    condition: str = ""


@dataclass(frozen=True)
class _Version:
    """What a policy was set to, and when that begins to count, in Unix seconds."""

    counts_from: float
    bindings: list[Json]


def _never() -> float:
    return 0.0


class Policies:
    """The policies of all resources, by resource name; a policy is inherited by what lies below.

    Roles and service accounts named in a policy must exist, as Google demands. A policy that is set
    shows at once, and counts `delay` seconds later on the clock that is `now`.
    """

    def __init__(
        self,
        project: Project,
        resources: Resources,
        *,
        now: Callable[[], float] = _never,
        delay: float = 0.0,
    ) -> None:
        self._project = project
        self._resources = resources
        self._now = now
        self._delay = delay
        self._versions: dict[str, list[_Version]] = {}
        self._etags: dict[str, str] = {}
        self._counter = itertools.count(1)

    def get(self, resource: str) -> Json:
        """Return a resource's policy, empty if none was set."""
        bindings = [
            {**binding, "members": list(binding["members"])} for binding in self._shown(resource)
        ]
        version = 3 if any("condition" in binding for binding in bindings) else 1
        policy: Json = {"version": version, "etag": self._etags.get(resource, "ACAB")}
        return {**policy, "bindings": bindings} if bindings else policy

    def set(self, resource: str, policy: Json) -> Json:
        """Replace a resource's policy and return it; `ABORTED` if its etag is not the last."""
        return self._replace(resource, policy, self._now() + self._delay)

    def begin(self, resource: str, policy: Json) -> None:
        """Give a new resource the policy that it is made with, which counts at once."""
        self._replace(resource, policy, -math.inf)

    def _replace(self, resource: str, policy: Json, counts_from: float) -> Json:
        etag = policy.get("etag")
        if etag and etag != self._etags.get(resource, "ACAB"):
            raise ApiError(
                "ABORTED",
                "There were concurrent policy changes. Please retry the whole "
                "read-modify-write with exponential backoff.",
            )
        bindings = [_normal(binding) for binding in policy.get("bindings", [])]
        for binding in bindings:
            self._validate(binding, int(policy.get("version", 0)))
        kept = [binding for binding in bindings if binding["members"]]
        self._versions.setdefault(resource, []).append(_Version(counts_from, kept))
        token = f"local-{next(self._counter)}".encode()
        self._etags[resource] = base64.b64encode(token).decode()
        return self.get(resource)

    def grant(self, binding: Binding) -> None:
        """Add one grant that counts at once, as Google does for its service agents."""
        for version in self._versions.setdefault(binding.resource, [_Version(-math.inf, [])]):
            version.bindings.append({"role": binding.role, "members": [binding.member]})

    def revoke(self, binding: Binding) -> None:
        """Take one grant back, which counts at once; `KeyError` if there is none."""
        held = [
            each
            for version in self._versions.get(binding.resource, [])
            for each in version.bindings
            if _matches(each, binding)
        ]
        if not held:
            raise KeyError(binding)
        for each in held:
            each["members"].remove(binding.member)

    def delete(self, resource: str) -> None:
        """Delete the policies of a resource and of all that lies below it."""
        for name in list(self._versions):
            if name == resource or name.startswith(f"{resource}/"):
                del self._versions[name]
                self._etags.pop(name, None)

    def bindings(self) -> Iterator[Binding]:
        """Return every grant."""
        for resource in sorted(self._versions):
            for held in self._shown(resource):
                for member in held["members"]:
                    yield Binding(resource, held["role"], member, _expression(held))

    def allows(
        self, member: str, permission: str, resource: str, *, inherited: bool = True
    ) -> bool:
        """Return whether `member`, such as `serviceAccount:a@b`, has a permission on a resource.

        `inherited` says whether what is granted above the resource counts.
        """
        scopes = self._scopes(resource) if inherited else [self._project.by_id(resource)]
        attributes = {"name": resource, "type": _type(resource), "service": _service(resource)}
        return any(
            self._holds(held["role"], permission)
            and _includes(held["members"], member)
            and _is_met(_expression(held), attributes)
            for scope in scopes
            for held in self._in_force(scope)
        )

    def _shown(self, resource: str) -> list[Json]:
        versions = self._versions.get(resource)
        return versions[-1].bindings if versions else []

    def _in_force(self, resource: str) -> list[Json]:
        versions = self._versions.get(resource, [])
        now = self._now()
        while len(versions) > 1 and versions[1].counts_from <= now:
            del versions[0]
        return versions[0].bindings if versions and versions[0].counts_from <= now else []

    def _scopes(self, resource: str) -> Iterator[str]:
        segments = self._project.by_id(resource).split("/")
        for length in range(len(segments), 1, -1):
            yield "/".join(segments[:length])
        yield f"projects/{self._project.id}"

    def _holds(self, role: str, permission: str) -> bool:
        if _CUSTOM_ROLE.fullmatch(role) and role in self._resources:
            custom = self._resources.get(role)
            return not custom.get("deleted") and permission in custom["includedPermissions"]
        return roles.grants(role, permission)

    def _validate(self, binding: Json, version: int) -> None:
        role = binding.get("role", "")
        if not roles.is_predefined(role) and not self._is_custom(role):
            raise invalid(f"Role {role} is not supported for this resource.")
        if "condition" in binding:
            if version < 3:
                raise invalid("Policies with conditions must have version 3.")
            _compile(_expression(binding))
        for member in binding["members"]:
            self._validate_member(member)

    def _is_custom(self, role: str) -> bool:
        return (
            _CUSTOM_ROLE.fullmatch(role) is not None
            and role in self._resources
            and not self._resources.get(role).get("deleted")
        )

    def _validate_member(self, member: str) -> None:
        if not _MEMBER.fullmatch(member):
            raise invalid(f"Invalid member: {member!r}")
        match = _SERVICE_ACCOUNT.fullmatch(member)
        if match and self._is_of_project(match) and not self._exists(match[1]):
            raise invalid(f"Service account {match[1]} does not exist.")

    def _is_of_project(self, account: re.Match[str]) -> bool:
        return account[2] == self._project.id or self._project.number in account[1]

    def _exists(self, email: str) -> bool:
        return f"projects/{self._project.id}/serviceAccounts/{email}" in self._resources


def _normal(binding: Json) -> Json:
    members = list(dict.fromkeys(binding.get("members", [])))
    kept = {key: binding[key] for key in ("role", "condition") if binding.get(key)}
    return {**kept, "members": members}


def _expression(binding: Json) -> str:
    return str(binding.get("condition", {}).get("expression", ""))


def _matches(held: Json, binding: Binding) -> bool:
    return (
        held["role"] == binding.role
        and binding.member in held["members"]
        and _expression(held) == binding.condition
    )


def _includes(members: list[str], member: str) -> bool:
    if "allUsers" in members or member in members:
        return True
    return member != "" and "allAuthenticatedUsers" in members


def _is_met(expression: str, attributes: dict[str, str]) -> bool:
    if not expression:
        return True
    try:
        return _compile(expression).execute({"resource": attributes}) is True
    except (RuntimeError, TypeError, ValueError):
        # An expression that cannot be evaluated grants nothing.
        return False


@lru_cache(maxsize=256)
def _compile(expression: str) -> Any:
    try:
        return cel.compile(expression)
    except ValueError as error:
        raise invalid(f"Condition expression compilation failed: {error}") from error


_TYPES = {
    "databases": "firestore.googleapis.com/Database",
    "topics": "pubsub.googleapis.com/Topic",
    "subscriptions": "pubsub.googleapis.com/Subscription",
    "secrets": "secretmanager.googleapis.com/Secret",
    "versions": "secretmanager.googleapis.com/SecretVersion",
    "services": "run.googleapis.com/Service",
    "buckets": "storage.googleapis.com/Bucket",
    "objects": "storage.googleapis.com/Object",
    "serviceAccounts": "iam.googleapis.com/ServiceAccount",
}


def _type(resource: str) -> str:
    segments = resource.split("/")
    known = [_TYPES[segment] for segment in segments[::2] if segment in _TYPES]
    return known[-1] if known else ""


def _service(resource: str) -> str:
    return _type(resource).partition("/")[0]
