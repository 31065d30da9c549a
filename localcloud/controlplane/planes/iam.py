"""IAM: service accounts, their policies, and custom roles."""

import math
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import ClassVar

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.errors import ApiError, invalid
from localcloud.controlplane.planes.resource_policy import policy_routes
from localcloud.controlplane.roles import PERMISSIONS
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

_ACCOUNT_ID = re.compile(r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])")
_ROLE_ID = re.compile(r"[A-Za-z0-9_.]{3,64}")
_ACCOUNT = "projects/{project}/serviceAccounts/{email}"
_ROLE = "projects/{project}/roles/{role}"


class Iam:
    """Stores service accounts and custom roles.

    A deleted role can be undeleted for some days; then its id stays blocked for some weeks.
    """

    service: ClassVar[str] = "iam.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {
        "iam_custom_endpoint": "iam/v1/",
        "iam_beta_custom_endpoint": "iam/v1beta/",
    }

    def __init__(self, state: State) -> None:
        self._state = state
        self._blocked_until: dict[str, float] = {}

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        return [
            *policy_routes(self._state, "iam/v1/", _ACCOUNT, self._account_exists),
            Route("POST", f"iam/v1/{_ACCOUNT}:enable", self._enable_account),
            Route("POST", f"iam/v1/{_ACCOUNT}:disable", self._disable_account),
            Route("POST", "iam/v1/projects/{project}/serviceAccounts", self._create_account),
            Route("GET", f"iam/v1/{_ACCOUNT}", self._get_account),
            Route("PATCH", f"iam/v1/{_ACCOUNT}", self._patch_account),
            Route("DELETE", f"iam/v1/{_ACCOUNT}", self._delete_account),
            Route("POST", f"iam/v1/{_ROLE}:undelete", self._undelete_role),
            Route("POST", "iam/v1/projects/{project}/roles", self._create_role),
            Route("GET", f"iam/v1/{_ROLE}", self._get_role),
            Route("PATCH", f"iam/v1/{_ROLE}", self._patch_role),
            Route("DELETE", f"iam/v1/{_ROLE}", self._delete_role),
        ]

    async def _create_account(self, call: ApiCall) -> Json:
        account = call.body.get("accountId", "")
        if not _ACCOUNT_ID.fullmatch(account):
            raise invalid(f"The account ID {account!r} must be 6 to 30 of [a-z0-9-].")
        project = self._state.project.id
        email = f"{account}@{project}.iam.gserviceaccount.com"
        name = f"{self._state.root}/serviceAccounts/{email}"
        if name in self._state.resources:
            raise ApiError("ALREADY_EXISTS", f"Service account {account} already exists")
        given = call.body.get("serviceAccount", {})
        return self._state.resources.create(
            name,
            {
                **{key: given[key] for key in ("displayName", "description") if key in given},
                "name": name,
                "projectId": project,
                "uniqueId": f"1{zlib.crc32(email.encode()):020}",
                "email": email,
                "etag": "MDEwMjE5MjA=",
                "oauth2ClientId": f"1{zlib.crc32(email.encode()):020}",
            },
        )

    def _account(self, call: ApiCall) -> str:
        return f"{self._state.root}/serviceAccounts/{call.names['email']}"

    async def _account_exists(self, name: str) -> None:
        self._state.resources.get(name.replace("projects/-/", f"{self._state.root}/"))

    async def _get_account(self, call: ApiCall) -> Json:
        return self._state.resources.get(self._account(call))

    async def _patch_account(self, call: ApiCall) -> Json:
        changes = call.body
        mask = changes.get("updateMask", "displayName,description").split(",")
        given = changes.get("serviceAccount", {})
        present = [path for path in mask if path in given]
        return self._state.resources.patch(self._account(call), given, present)

    async def _enable_account(self, call: ApiCall) -> Json:
        self._state.resources.patch(self._account(call), {"disabled": False})
        return {}

    async def _disable_account(self, call: ApiCall) -> Json:
        self._state.resources.patch(self._account(call), {"disabled": True})
        return {}

    async def _delete_account(self, call: ApiCall) -> Json:
        name = self._account(call)
        self._state.resources.delete(name)
        self._state.policies.delete(name)
        return {}

    async def _create_role(self, call: ApiCall) -> Json:
        role = call.body.get("roleId", "")
        if not _ROLE_ID.fullmatch(role):
            raise invalid(f"The role_id {role!r} must be 3 to 64 of [a-zA-Z0-9_.].")
        name = f"{self._state.root}/roles/{role}"
        if self._state.delays.time() < self._blocked_until.get(name, -math.inf):
            raise ApiError(
                "FAILED_PRECONDITION",
                f"You can't create a role_id ({role}) which has been marked for deletion.",
            )
        if name in self._state.resources:
            raise ApiError("ALREADY_EXISTS", f"A role named {role} in {self._state.root} exists.")
        given = call.body.get("role", {})
        _check_permissions(given)
        return self._state.resources.create(name, {**given, "name": name, "etag": "BwYAAAAAAAE="})

    def _role(self, call: ApiCall) -> str:
        return f"{self._state.root}/roles/{call.names['role']}"

    async def _get_role(self, call: ApiCall) -> Json:
        return self._state.resources.get(self._role(call))

    async def _patch_role(self, call: ApiCall) -> Json:
        _check_permissions(call.body)
        return self._state.resources.patch(self._role(call), call.body, call.mask())

    async def _delete_role(self, call: ApiCall) -> Json:
        name, realism = self._role(call), self._state.realism
        deleted = self._state.resources.patch(name, {"deleted": True})
        until = self._state.delays.time() + realism.role_id_blocked_seconds
        self._blocked_until[name] = until
        self._state.agenda.after(
            realism.role_restorable_seconds, lambda: self._purge_role(name, until)
        )
        return deleted

    def _purge_role(self, name: str, blocked_until: float) -> None:
        # Not if it has been undeleted meanwhile, and perhaps deleted again.
        if self._blocked_until.get(name) == blocked_until:
            self._state.resources.delete(name)

    async def _undelete_role(self, call: ApiCall) -> Json:
        name = self._role(call)
        restored = self._state.resources.patch(name, {}, ["deleted"])
        self._blocked_until.pop(name, None)
        return restored


def _check_permissions(role: Json) -> None:
    unknown = sorted(set(role.get("includedPermissions", [])) - PERMISSIONS)
    if unknown:
        raise invalid(f"Permission {unknown[0]} is not valid.")
