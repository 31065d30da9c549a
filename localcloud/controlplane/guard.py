"""IAM for gRPC calls: each needs a permission on a resource.

https://cloud.google.com/pubsub/docs/access-control#permissions_and_roles,
https://cloud.google.com/firestore/docs/security/iam#permissions,
https://cloud.google.com/secret-manager/docs/access-control
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import grpc

from localcloud.controlplane.state import State
from localcloud.core.rpc import Call, RpcError

Need = tuple[str, str]
"""A permission, and the resource it is needed on."""

_API = {
    "google.pubsub.v1": "pubsub.googleapis.com",
    "google.firestore.v1": "firestore.googleapis.com",
    "google.cloud.secretmanager.v1": "secretmanager.googleapis.com",
}


class IamGuard:
    """A guard for `rpc.listen` that checks the permissions of a listener's identity.

    A method that is not in the tables is refused to everyone.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    async def __call__(self, call: Call) -> None:
        """Allow a call, or raise `RpcError` as the service words it."""
        service, _, method = call.method.rpartition("/")
        package = service.rpartition(".")[0]
        if not self._state.is_active(_API[package]):
            raise RpcError(
                grpc.StatusCode.PERMISSION_DENIED,
                f"{_API[package]} has not been used in project {self._state.project.number} before "
                "or it is disabled.",
            )
        if call.request is None:
            # Each request of a stream is checked by itself.
            return
        for permission, resource in _needs(package, method, call.request):
            self._check(package, call.identity or "", permission, resource)

    def _check(self, package: str, identity: str, permission: str, resource: str) -> None:
        found = self._state.project.by_id(resource)
        if not self._state.policies.allows(identity, permission, found):
            message = _WORDING[package].format(permission=permission, resource=resource)
            raise RpcError(grpc.StatusCode.PERMISSION_DENIED, message)


_WORDING = {
    "google.pubsub.v1": "User not authorized to perform this action.",
    "google.firestore.v1": "Missing or insufficient permissions.",
    "google.cloud.secretmanager.v1": (
        "Permission '{permission}' denied for resource '{resource}' (or it may not exist)."
    ),
}


def _needs(package: str, method: str, request: Any) -> Iterable[Need]:
    """Return what a request needs."""
    tables = {
        "google.pubsub.v1": _PUBSUB,
        "google.firestore.v1": _FIRESTORE,
        "google.cloud.secretmanager.v1": _SECRETS,
    }
    needs = tables[package].get(method)
    if needs is None:
        raise RpcError(
            grpc.StatusCode.UNIMPLEMENTED,
            f"The local cloud does not know which permission {method} needs.",
        )
    return needs(request)


def _on(permission: str, field: str) -> Callable[[Any], Iterator[Need]]:
    """Return the need of one permission on the resource that a field names."""

    def needs(request: Any) -> Iterator[Need]:
        yield permission, getattr(request, field)

    return needs


def _attach(request: Any) -> Iterator[Need]:
    yield "pubsub.subscriptions.create", _project(request.name)
    yield "pubsub.topics.attachSubscription", request.topic


def _project(name: str) -> str:
    return "/".join(name.split("/")[:2])


# https://cloud.google.com/pubsub/docs/access-control#permissions_and_roles; snapshots have no
# policy of their own here, only their project's.
def _snapshot(request: Any) -> Iterator[Need]:
    yield "pubsub.snapshots.create", _project(request.name)
    yield "pubsub.subscriptions.consume", request.subscription


def _seek(request: Any) -> Iterator[Need]:
    yield "pubsub.subscriptions.consume", request.subscription
    if request.snapshot:
        yield "pubsub.snapshots.seek", _project(request.snapshot)


def _stream(request: Any) -> Iterator[Need]:
    # Only a stream's first request names the subscription.
    if request.subscription:
        yield "pubsub.subscriptions.consume", request.subscription


_PUBSUB: Mapping[str, Callable[[Any], Iterable[Need]]] = {
    "Publish": _on("pubsub.topics.publish", "topic"),
    "GetTopic": _on("pubsub.topics.get", "topic"),
    "ListTopics": _on("pubsub.topics.list", "project"),
    "CreateTopic": _on("pubsub.topics.create", "name"),
    "DeleteTopic": _on("pubsub.topics.delete", "topic"),
    "UpdateTopic": lambda request: [("pubsub.topics.update", request.topic.name)],
    "CreateSubscription": _attach,
    "GetSubscription": _on("pubsub.subscriptions.get", "subscription"),
    "ListSubscriptions": _on("pubsub.subscriptions.list", "project"),
    "UpdateSubscription": lambda r: [("pubsub.subscriptions.update", r.subscription.name)],
    "DeleteSubscription": _on("pubsub.subscriptions.delete", "subscription"),
    "Pull": _on("pubsub.subscriptions.consume", "subscription"),
    "StreamingPull": _stream,
    "Acknowledge": _on("pubsub.subscriptions.consume", "subscription"),
    "ModifyAckDeadline": _on("pubsub.subscriptions.consume", "subscription"),
    "Seek": _seek,
    "CreateSnapshot": _snapshot,
    "DeleteSnapshot": lambda r: [("pubsub.snapshots.delete", _project(r.snapshot))],
}

_SECRETS: Mapping[str, Callable[[Any], Iterable[Need]]] = {
    "CreateSecret": _on("secretmanager.secrets.create", "parent"),
    "GetSecret": _on("secretmanager.secrets.get", "name"),
    "ListSecrets": _on("secretmanager.secrets.list", "parent"),
    "UpdateSecret": lambda request: [("secretmanager.secrets.update", request.secret.name)],
    "DeleteSecret": _on("secretmanager.secrets.delete", "name"),
    "AddSecretVersion": _on("secretmanager.versions.add", "parent"),
    "GetSecretVersion": _on("secretmanager.versions.get", "name"),
    "ListSecretVersions": _on("secretmanager.versions.list", "parent"),
    "AccessSecretVersion": _on("secretmanager.versions.access", "name"),
    "EnableSecretVersion": _on("secretmanager.versions.enable", "name"),
    "DisableSecretVersion": _on("secretmanager.versions.disable", "name"),
    "DestroySecretVersion": _on("secretmanager.versions.destroy", "name"),
}


def _database(request: Any) -> str:
    fields = ("database", "parent", "name")
    named = next(getattr(request, field) for field in fields if getattr(request, field, ""))
    return "/".join(named.split("/")[:4])


def _entities(*verbs: str) -> Callable[[Any], Iterator[Need]]:
    def needs(request: Any) -> Iterator[Need]:
        for verb in verbs:
            yield f"datastore.entities.{verb}", _database(request)

    return needs


def _written(request: Any) -> Iterator[Need]:
    for write in request.writes:
        for verb in _verbs(write):
            yield f"datastore.entities.{verb}", _database(request)


def _verbs(write: Any) -> tuple[str, ...]:
    if write.delete:
        return ("delete",)
    condition = write.current_document
    if condition.WhichOneof("condition_type") == "exists" and not condition.exists:
        return ("create",)
    if condition.WhichOneof("condition_type"):
        return ("update",)
    return ("create", "update")


_FIRESTORE: Mapping[str, Callable[[Any], Iterable[Need]]] = {
    "GetDocument": _entities("get"),
    "BatchGetDocuments": _entities("get"),
    "Commit": _written,
    "BatchWrite": _written,
    "RunQuery": _entities("get", "list"),
    "RunAggregationQuery": _entities("get", "list"),
}
