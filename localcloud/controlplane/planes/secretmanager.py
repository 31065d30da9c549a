"""Secret Manager's REST form, in front of the embedded Secret Manager."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from google.cloud.secretmanager_v1 import types
from google.protobuf.message import Message

from localcloud.controlplane.api import ApiCall, Handler, Route, invoke, message
from localcloud.controlplane.encryption import check_key
from localcloud.controlplane.planes.resource_policy import policy_routes
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json
from localcloud.core.rpc import Service

_NAME = "projects/{project}/secrets/{secret}"
_VERSION = f"{_NAME}/versions/{{version}}"


class SecretManagerPlane:
    """Translates; secrets and versions live in the emulator, policies here."""

    service: ClassVar[str] = "secretmanager.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"secret_manager_custom_endpoint": "secretmanager/v1/"}

    def __init__(self, state: State, emulator: Service) -> None:
        self._state = state
        self._emulator = emulator

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        prefix = "secretmanager/v1/"
        pb = _pb
        by_name: list[tuple[str, str, str, type[Message]]] = [
            (
                "POST",
                f"{_VERSION}:enable",
                "EnableSecretVersion",
                pb(types.EnableSecretVersionRequest),
            ),
            (
                "POST",
                f"{_VERSION}:disable",
                "DisableSecretVersion",
                pb(types.DisableSecretVersionRequest),
            ),
            (
                "POST",
                f"{_VERSION}:destroy",
                "DestroySecretVersion",
                pb(types.DestroySecretVersionRequest),
            ),
            (
                "GET",
                f"{_VERSION}:access",
                "AccessSecretVersion",
                pb(types.AccessSecretVersionRequest),
            ),
            ("GET", _VERSION, "GetSecretVersion", pb(types.GetSecretVersionRequest)),
            ("GET", _NAME, "GetSecret", pb(types.GetSecretRequest)),
        ]
        return [
            *policy_routes(self._state, prefix, _NAME, self._exists),
            Route("POST", f"{prefix}{_NAME}:addVersion", self._add_version),
            *(
                Route(verb, f"{prefix}{name}", self._named(method, name, request))
                for verb, name, method, request in by_name
            ),
            Route("GET", f"{prefix}{_NAME}/versions", self._list_versions),
            Route("DELETE", f"{prefix}{_NAME}", self._delete),
            Route("PATCH", f"{prefix}{_NAME}", self._update),
            Route("POST", f"{prefix}projects/{{project}}/secrets", self._create),
            Route("GET", f"{prefix}projects/{{project}}/secrets", self._list),
        ]

    def _named(self, method: str, name: str, request: type[Message]) -> Handler:
        async def handle(call: ApiCall) -> Json:
            resource = name.partition(":")[0].format(**call.names)
            return await self._invoke(method, request, {"name": resource})

        return handle

    async def _invoke(self, method: str, request: type[Message], value: Json) -> Json:
        return await invoke(self._emulator, method, message(request, value))

    async def _exists(self, name: str) -> None:
        await self._invoke("GetSecret", _pb(types.GetSecretRequest), {"name": name})

    async def _create(self, call: ApiCall) -> Json:
        given = call.body
        for key in _keys(given):
            check_key(self._state, key, self._state.agent(self.service))
        parent = f"projects/{call.names['project']}"
        value = {"parent": parent, "secretId": call.query.get("secretId", ""), "secret": given}
        return await self._invoke("CreateSecret", _pb(types.CreateSecretRequest), value)

    async def _list(self, call: ApiCall) -> Json:
        value = {"parent": f"projects/{call.names['project']}"}
        return await self._invoke("ListSecrets", _pb(types.ListSecretsRequest), value)

    async def _update(self, call: ApiCall) -> Json:
        secret = {**call.body, "name": _NAME.format(**call.names)}
        value = {"secret": secret, "updateMask": ",".join(call.mask() or [])}
        return await self._invoke("UpdateSecret", _pb(types.UpdateSecretRequest), value)

    async def _delete(self, call: ApiCall) -> Json:
        name = _NAME.format(**call.names)
        self._state.policies.delete(self._state.project.by_id(name))
        return await self._invoke("DeleteSecret", _pb(types.DeleteSecretRequest), {"name": name})

    async def _add_version(self, call: ApiCall) -> Json:
        value = {"parent": _NAME.format(**call.names), "payload": call.body.get("payload", {})}
        return await self._invoke("AddSecretVersion", _pb(types.AddSecretVersionRequest), value)

    async def _list_versions(self, call: ApiCall) -> Json:
        value = {"parent": _NAME.format(**call.names)}
        return await self._invoke("ListSecretVersions", _pb(types.ListSecretVersionsRequest), value)


def _pb(kind: Callable[..., object]) -> type[Message]:
    raw: type[Message] = kind.pb()  # type: ignore[attr-defined]  # proto-plus adds it
    return raw


def _keys(secret: Json) -> list[str]:
    replication = secret.get("replication", {})
    automatic = [replication.get("automatic", {})]
    replicas = replication.get("userManaged", {}).get("replicas", [])
    encryption = [item.get("customerManagedEncryption", {}) for item in [*automatic, *replicas]]
    return [item["kmsKeyName"] for item in encryption if item.get("kmsKeyName")]
