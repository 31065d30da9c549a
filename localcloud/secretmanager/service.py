"""The methods of `google.cloud.secretmanager.v1.SecretManagerService`, over secrets in memory."""

from collections.abc import Callable, Mapping
from typing import Any

from google.cloud.secretmanager_v1.types import service as api

from localcloud.core import rpc
from localcloud.core.clock import Clock
from localcloud.core.statuses import invalid, unimplemented
from localcloud.secretmanager import lists
from localcloud.secretmanager.messages import Empty, Message, Secret, SecretVersion
from localcloud.secretmanager.names import SecretName, check_secret_id, parse_project
from localcloud.secretmanager.store import Store, Stored, check_etag
from localcloud.secretmanager.versions import DISABLED, ENABLED, Version, check_payload

_UPDATABLE = frozenset({"annotations", "labels", "rotation", "topics"})
_NOT_IMITATED = ("expire_time", "ttl", "version_destroy_ttl", "version_aliases")


def _same(project: str) -> str:
    return project


class SecretManager:
    """An embedded Secret Manager: all state in memory, on the event loop of its handlers.

    Lists, and `latest`, show the versions as they were `list_lag_seconds` ago on the clock, which
    may be changed at any time; a version is readable by its number at once. `project_number` maps
    a project's id to its number, which the service uses in the names it returns (and a number to
    itself); by default a project keeps the name it is asked by.
    `services` is what `localcloud.core.rpc.listen` serves.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        list_lag_seconds: float = 0.0,
        project_number: Callable[[str], str] = _same,
    ) -> None:
        self.list_lag_seconds = list_lag_seconds
        self._store = Store(clock, project_number)
        self.services: Mapping[str, rpc.Service] = {
            "google.cloud.secretmanager.v1.SecretManagerService": self._methods()
        }

    async def close(self) -> None:
        """Do nothing: nothing runs in the background."""

    def mark(self) -> object:
        """Return what differs after any change that `dump` shows."""
        return self._store.dump()

    def dump(self) -> Any:
        """Return all secrets with their payloads as a JSON document."""
        return self._store.dump()

    def restore(self, dumped: Any) -> None:
        """Take over the secrets that `dump` returned."""
        self._store.restore(dumped)

    async def create_secret(self, request: Any) -> Message:
        """Create a secret without versions."""
        name = SecretName(parse_project(request.parent), check_secret_id(request.secret_id))
        if request.secret.replication.WhichOneof("replication") is None:
            raise invalid("Secret.replication must be automatic or user_managed.")
        _check_imitated(request.secret)
        return self._store.create(name, request.secret)

    async def get_secret(self, request: Any) -> Message:
        """Return a secret."""
        return self._store.secret(request.name).message

    async def list_secrets(self, request: Any) -> Message:
        """Return a page of a project's secrets, newest first."""
        stored = self._store.secrets(parse_project(request.parent))
        found = lists.secrets(stored, request)
        page, token = lists.page(found, request)
        return _reply(
            api.ListSecretsResponse,
            secrets=page,
            next_page_token=token,
            total_size=len(found),
        )

    async def update_secret(self, request: Any) -> Message:
        """Change the fields of a secret that the mask names."""
        stored = self._store.secret(request.secret.name)
        _check_mask(request.update_mask)
        check_etag(request.secret.etag, stored.message.etag)
        stored.message = self._merged(stored, request)
        return stored.message

    async def delete_secret(self, request: Any) -> Message:
        """Delete a secret with all its versions."""
        self._store.delete(request.name, request.etag)
        return Empty()

    async def add_secret_version(self, request: Any) -> Message:
        """Add a version, which is readable by its number at once."""
        check_payload(request.payload)
        checked = request.payload.HasField("data_crc32c")
        return self._store.add(request.parent, request.payload.data, checked=checked)

    async def get_secret_version(self, request: Any) -> Message:
        """Return a version without its payload."""
        return self._store.version(request.name, self.list_lag_seconds).message

    async def access_secret_version(self, request: Any) -> Message:
        """Return the payload of an enabled version."""
        version = self._store.version(request.name, self.list_lag_seconds)
        return _reply(
            api.AccessSecretVersionResponse, name=version.message.name, payload=version.access()
        )

    async def list_secret_versions(self, request: Any) -> Message:
        """Return a page of a secret's versions, newest first, as they were some time ago."""
        stored = self._store.secret(request.parent)
        found = lists.versions(self._store, stored, request, self.list_lag_seconds)
        page, token = lists.page(found, request)
        return _reply(
            api.ListSecretVersionsResponse,
            versions=page,
            next_page_token=token,
            total_size=0 if request.filter else len(found),
        )

    async def enable_secret_version(self, request: Any) -> Message:
        """Make a version accessible."""
        return self._change(request, ENABLED)

    async def disable_secret_version(self, request: Any) -> Message:
        """Make a version inaccessible, until it is enabled again."""
        return self._change(request, DISABLED)

    async def destroy_secret_version(self, request: Any) -> Message:
        """Wipe a version's payload for good."""
        version = self._guarded(request)
        version.destroy(self._store.now(), self._store.etag())
        return version.message

    def _change(self, request: Any, state: int) -> SecretVersion:
        version = self._guarded(request)
        version.change(state, self._store.now(), self._store.etag())
        return version.message

    def _guarded(self, request: Any) -> Version:
        version = self._store.version(request.name, self.list_lag_seconds)
        check_etag(request.etag, version.message.etag)
        return version

    def _merged(self, stored: Stored, request: Any) -> Secret:
        merged = Secret()
        merged.CopyFrom(stored.message)
        request.update_mask.MergeMessage(
            request.secret, merged, replace_message_field=True, replace_repeated_field=True
        )
        merged.etag = self._store.etag()
        return merged

    def _methods(self) -> rpc.Service:
        table: dict[str, tuple[Any, Any, Callable[..., Any]]] = {
            "AccessSecretVersion": (
                api.AccessSecretVersionRequest.pb(),
                api.AccessSecretVersionResponse.pb(),
                self.access_secret_version,
            ),
            "AddSecretVersion": (
                api.AddSecretVersionRequest.pb(),
                SecretVersion,
                self.add_secret_version,
            ),
            "CreateSecret": (api.CreateSecretRequest.pb(), Secret, self.create_secret),
            "DeleteSecret": (api.DeleteSecretRequest.pb(), Empty, self.delete_secret),
            "DestroySecretVersion": (
                api.DestroySecretVersionRequest.pb(),
                SecretVersion,
                self.destroy_secret_version,
            ),
            "DisableSecretVersion": (
                api.DisableSecretVersionRequest.pb(),
                SecretVersion,
                self.disable_secret_version,
            ),
            "EnableSecretVersion": (
                api.EnableSecretVersionRequest.pb(),
                SecretVersion,
                self.enable_secret_version,
            ),
            "GetSecret": (api.GetSecretRequest.pb(), Secret, self.get_secret),
            "GetSecretVersion": (
                api.GetSecretVersionRequest.pb(),
                SecretVersion,
                self.get_secret_version,
            ),
            "ListSecretVersions": (
                api.ListSecretVersionsRequest.pb(),
                api.ListSecretVersionsResponse.pb(),
                self.list_secret_versions,
            ),
            "ListSecrets": (
                api.ListSecretsRequest.pb(),
                api.ListSecretsResponse.pb(),
                self.list_secrets,
            ),
            "UpdateSecret": (api.UpdateSecretRequest.pb(), Secret, self.update_secret),
        }
        return {
            name: rpc.Method("unary_unary", request, reply, handler)
            for name, (request, reply, handler) in table.items()
        }


def _reply(kind: Any, **fields: Any) -> Message:
    message: Message = kind.pb()(**fields)
    return message


def _check_mask(mask: Any) -> None:
    for path in mask.paths:
        if path in _NOT_IMITATED:
            raise unimplemented("Secret Manager", f"a secret's {path}")
    if not mask.paths or not set(mask.paths) <= _UPDATABLE:
        raise invalid(f"update_mask must name fields among {', '.join(sorted(_UPDATABLE))}.")


def _check_imitated(secret: Secret) -> None:
    given = {descriptor.name for descriptor, _ in secret.ListFields()}
    for name in _NOT_IMITATED:
        if name in given:
            raise unimplemented("Secret Manager", f"a secret's {name}")
