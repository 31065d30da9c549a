from typing import Any

import grpc
import pytest

from localcloud.controlplane import Cloud, guard
from localcloud.controlplane.guard import IamGuard
from localcloud.controlplane.state import State
from localcloud.core.clock import ManualClock
from localcloud.core.rpc import Call, RpcError

WORKER = "user:worker@example.com"
PUBSUB = "google.pubsub.v1.Publisher/Publish"
TOPIC = "projects/local-project/topics/events"


@pytest.fixture
def state(clock: ManualClock) -> State:
    made = State(clock)
    for service in ("pubsub", "firestore", "secretmanager"):
        made.enable(f"{service}.googleapis.com")
    return made


def allow(state: State, resource: str, role: str) -> None:
    state.policies.set(resource, {"bindings": [{"role": role, "members": [WORKER]}]})


def request(cloud: Cloud, service: str, method: str, **fields: Any) -> Any:
    services = {**cloud.pubsub.services, **cloud.firestore.services, **cloud.secrets.services}
    kind: Any = services[service][method].request
    return kind(**fields)


async def refusal(state: State, method: str, message: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(RpcError) as refused:
        await IamGuard(state)(Call(WORKER, method, message, {}))
    return refused.value.code, refused.value.message


async def test_a_call_needs_a_grant(state: State, cloud: Cloud) -> None:
    message = request(cloud, "google.pubsub.v1.Publisher", "Publish", topic=TOPIC)
    assert await refusal(state, PUBSUB, message) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "User not authorized to perform this action.",
    )
    allow(state, TOPIC, "roles/pubsub.publisher")
    await IamGuard(state)(Call(WORKER, PUBSUB, message, {}))


async def test_each_service_words_its_refusal(state: State, cloud: Cloud) -> None:
    document = "projects/local-project/databases/d/documents/a/b"
    service = "google.firestore.v1.Firestore"
    message = request(cloud, service, "GetDocument", name=document)
    _, words = await refusal(state, f"{service}/GetDocument", message)
    assert words == "Missing or insufficient permissions."
    version = "projects/123456789012/secrets/s/versions/1"
    service = "google.cloud.secretmanager.v1.SecretManagerService"
    message = request(cloud, service, "AccessSecretVersion", name=version)
    _, words = await refusal(state, f"{service}/AccessSecretVersion", message)
    assert words == (
        f"Permission 'secretmanager.versions.access' denied for resource '{version}' "
        "(or it may not exist)."
    )


async def test_a_disabled_service_refuses_every_call(state: State, cloud: Cloud) -> None:
    allow(state, TOPIC, "roles/pubsub.publisher")
    state.resources.delete(f"{state.root}/services/pubsub.googleapis.com")
    message = request(cloud, "google.pubsub.v1.Publisher", "Publish", topic=TOPIC)
    code, words = await refusal(state, PUBSUB, message)
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert "has not been used in project" in words


async def test_a_method_that_is_not_known_is_refused(state: State) -> None:
    code, words = await refusal(state, "google.pubsub.v1.Publisher/Whisper", object())
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert "Whisper" in words


@pytest.mark.parametrize(
    ("write", "verbs"),
    [
        ({"delete": "d"}, ("delete",)),
        ({"update": {"name": "d"}, "current_document": {"exists": False}}, ("create",)),
        ({"update": {"name": "d"}, "current_document": {"exists": True}}, ("update",)),
        (
            {"update": {"name": "d"}, "current_document": {"update_time": {"seconds": 1}}},
            ("update",),
        ),
        ({"update": {"name": "d"}}, ("create", "update")),
    ],
)
async def test_a_write_needs_what_it_may_do(
    cloud: Cloud, write: dict[str, Any], verbs: tuple[str, ...]
) -> None:
    message = request(
        cloud,
        "google.firestore.v1.Firestore",
        "Commit",
        database="projects/p/databases/d",
        writes=[write],
    )
    needs = list(guard._FIRESTORE["Commit"](message))
    assert needs == [(f"datastore.entities.{verb}", "projects/p/databases/d") for verb in verbs]


async def test_a_stream_is_judged_by_its_first_request(state: State, cloud: Cloud) -> None:
    service, method = "google.pubsub.v1.Subscriber", "google.pubsub.v1.Subscriber/StreamingPull"
    await IamGuard(state)(Call(WORKER, method, None, {}))
    first = request(cloud, service, "StreamingPull", subscription="projects/p/subscriptions/s")
    assert (await refusal(state, method, first))[0] is grpc.StatusCode.PERMISSION_DENIED
    await IamGuard(state)(Call(WORKER, method, request(cloud, service, "StreamingPull"), {}))


async def test_every_method_is_in_a_table_or_refused(cloud: Cloud) -> None:
    tables = {
        "google.pubsub.v1.Publisher": guard._PUBSUB,
        "google.pubsub.v1.Subscriber": guard._PUBSUB,
        "google.firestore.v1.Firestore": guard._FIRESTORE,
        "google.cloud.secretmanager.v1.SecretManagerService": guard._SECRETS,
    }
    services = {**cloud.pubsub.services, **cloud.firestore.services, **cloud.secrets.services}
    for name, service in services.items():
        for method in service.keys() - tables[name].keys():
            with pytest.raises(RpcError) as refused:
                await service[method].handler(service[method].request())
            assert refused.value.code is grpc.StatusCode.UNIMPLEMENTED
