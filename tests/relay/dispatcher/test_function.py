import base64
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import google.auth
import grpc
import pytest
from google.auth.exceptions import DefaultCredentialsError
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from localcloud.core.rpc import Call, RpcError
from relay.dispatcher import function as dispatcher
from relay.dispatcher.claims import document_id, first_claim
from relay.dispatcher.function import Dispatcher, create
from relay.dispatcher.settings import Settings
from relay.dispatcher.worker import Worker
from relay.errors import ConfigurationError
from relay.gcp.publisher import create_publisher
from relay.gcp.store import FirestoreStore
from relay.web import push
from tests.relay.dispatcher.test_claims import EVENT
from tests.support.documents import MemoryStore
from tests.support.emulated import Emulated, emulated, ledger_store

BODY = {"type": "batch.succeeded", "data": {"id": "batch_1"}, "user_metadata": {"team": "blue"}}
GIVEN = {
    "webhook-id": "evt_1",
    "webhook-timestamp": "1769083200",
    "dedup-key": "evt_1",
    "scheme": "v1",
    "received-at": "2026-01-22T12:00:01.500Z",
}
ROUTES = [{"name": "blue", "types": ["batch.*"], "metadata": {"team": "blue"}, "topic": "blue"}]
EVENTS, DEAD_LETTER, BLUE = "gemini-webhooks-events", "gemini-webhooks-dead-letter", "blue"

Post = Callable[..., Awaitable[Response]]


@pytest.fixture(autouse=True)
def handler_of_sigterm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
async def running() -> AsyncIterator[Emulated]:
    async with emulated() as pair:
        for topic in (EVENTS, DEAD_LETTER, BLUE):
            await pair.topic(topic)
        yield pair


@pytest.fixture
async def store(running: Emulated) -> AsyncIterator[FirestoreStore]:
    async with ledger_store(running) as made:
        yield made


@pytest.fixture
async def post(running: Emulated, store: FirestoreStore) -> AsyncIterator[Post]:
    """Push a message to a dispatcher over the real clients."""
    environ = {**running.environ, "ROUTES": json.dumps(ROUTES)}
    publisher = create_publisher(environ)
    parsed = Settings.read(environ)

    handler = Dispatcher(Worker(parsed, store, publisher, dispatcher._now), None)

    async def send(body: object = BODY, **attributes: str) -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in attributes.items()}
        message = {
            "data": base64.b64encode(data).decode(),
            "attributes": {**GIVEN, **named},
            "messageId": "7",
        }
        return await handler(request(json.dumps({"message": message}).encode()))

    yield send
    await publisher.close()


def request(
    body: bytes = b"", method: str = "POST", headers: Mapping[str, str] | None = None
) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "method": method, "headers": raw}, receive)


def refuse(method: str, code: grpc.StatusCode, *, topic: str = "") -> Callable[[Call], None]:
    def guard(call: Call) -> None:
        called = call.method.endswith(method)
        if called and (not topic or getattr(call.request, "topic", "").endswith(topic)):
            raise RpcError(code, "as told")

    return guard


class Unused(Worker):
    """No message, no worker."""

    def __init__(self) -> None:
        pass


async def test_an_event_reaches_the_events_topic_and_its_route(
    post: Post, running: Emulated
) -> None:
    assert (await post()).status_code == 204
    [(data, attributes)] = await running.messages(EVENTS)
    assert json.loads(data) == BODY
    assert attributes == {
        "ce-specversion": "1.0",
        "ce-id": "evt_1",
        "ce-type": "batch.succeeded",
        "ce-source": "//generativelanguage.googleapis.com/projects/my-project",
        "ce-time": "2026-01-22T12:00:01.500Z",
        "ce-subject": "batch_1",
        "ce-provenance": "project",
        "content-type": "application/json",
        "scheme": "v1",
        "meta-team": "blue",
    }
    assert await running.messages(BLUE) == [(data, attributes)]


async def test_an_event_costs_two_writes_and_a_publish_for_each_route(
    post: Post, running: Emulated
) -> None:
    await post()
    assert running.calls == {"BatchWrite": 2, "Publish": 2}


async def test_a_duplicate_costs_one_refused_write_and_one_read(
    post: Post, running: Emulated
) -> None:
    await post()
    running.calls.clear()
    assert (await post()).status_code == 204
    assert running.calls == {"BatchWrite": 1, "BatchGetDocuments": 1}


async def test_the_ledger_records_each_event(post: Post, store: FirestoreStore) -> None:
    await post()
    found = await store.read(document_id("evt_1"))
    assert found is not None
    told = {name: found.fields[name] for name in ("id", "type", "subject", "state", "scheme")}
    assert told == {
        "id": "evt_1",
        "type": "batch.succeeded",
        "subject": "batch_1",
        "state": "done",
        "scheme": "v1",
    }
    assert found.fields["routes_done"] == ["blue", "events"]
    assert not any("payload" in name or "data" in name for name in found.fields)


async def test_a_replay_passes_the_ledger_once(post: Post, running: Emulated) -> None:
    await post()
    assert [(await post(replay="r1")).status_code for _ in range(2)] == [204, 204]
    replays = [each.get("replay") for _, each in await running.messages(EVENTS)]
    assert replays == [None, "r1"]


async def test_a_replay_may_name_one_route(post: Post, running: Emulated) -> None:
    assert (await post(replay="r1", replay_route="blue")).status_code == 204
    assert len(await running.messages(BLUE)) == 1
    assert await running.messages(EVENTS) == []


@pytest.mark.parametrize(
    ("body", "given", "reason"),
    [
        (b"not json", {}, "not-json"),
        ({"no": "type"}, {}, "no-type"),
        (BODY, {"webhook_id": ""}, "no-id"),
        (BODY, {"replay_route": "gone"}, "unknown-route"),
    ],
)
async def test_poison_goes_to_the_dead_letters_with_its_reason(
    post: Post, running: Emulated, body: object, given: Mapping[str, str], reason: str
) -> None:
    assert (await post(body, **given)).status_code == 204
    [(data, attributes)] = await running.messages(DEAD_LETTER)
    assert data == (body if isinstance(body, bytes) else json.dumps(body).encode())
    named = {name.replace("_", "-"): value for name, value in given.items()}
    assert attributes == {**GIVEN, **named, "reason": reason}
    assert running.calls == {"BatchWrite": 2, "Publish": 1}


@pytest.mark.parametrize("key", ["evt_1", ""])
async def test_a_poison_message_makes_one_dead_letter_however_often_it_is_pushed(
    post: Post, running: Emulated, key: str
) -> None:
    pushed = [await post(b"not json", dedup_key=key) for _ in range(20)]
    assert {answer.status_code for answer in pushed} == {204}
    assert len(await running.messages(DEAD_LETTER)) == 1
    assert (await post(b"nor this", dedup_key="")).status_code == 204
    assert len(await running.messages(DEAD_LETTER)) == 1, "another message is another dead letter"


async def test_a_poison_dead_letter_that_is_replayed_is_read_anew(
    post: Post, running: Emulated
) -> None:
    await post(b"not json")
    assert len(await running.messages(DEAD_LETTER)) == 1
    for _ in range(2):
        await post(b"not json", dead_letter_replays="1")
    assert len(await running.messages(DEAD_LETTER)) == 1
    # As if a newer version could read it.
    assert (await post(dead_letter_replays="2")).status_code == 204
    assert await running.messages(DEAD_LETTER) == []
    assert len(await running.messages(EVENTS)) == 1


async def test_the_ledger_records_a_poison_message(post: Post, store: FirestoreStore) -> None:
    await post(b"not json")
    found = await store.read(document_id("evt_1\npoison\n\n"))
    assert found is not None
    assert (found.fields["state"], found.fields["id"]) == ("poison", "evt_1")


async def test_a_dead_letter_replayed_unchanged_resumes_where_it_stopped(
    post: Post, running: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    invalid = refuse("Publish", grpc.StatusCode.INVALID_ARGUMENT, topic=BLUE)
    monkeypatch.setattr(running, "guard", invalid)
    assert (await post()).status_code == 204
    [(data, attributes)] = await running.messages(DEAD_LETTER)
    assert attributes["reason"] == "publish-refused"
    monkeypatch.setattr(running, "guard", None)
    assert (await post(data, **attributes)).status_code == 204
    assert len(await running.messages(EVENTS)) == len(await running.messages(BLUE)) == 1
    assert await running.messages(DEAD_LETTER) == []


@pytest.mark.parametrize("code", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED])
async def test_a_missing_topic_or_right_is_retried(
    post: Post,
    running: Emulated,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: grpc.StatusCode,
) -> None:
    monkeypatch.setattr(running, "guard", refuse("Publish", code, topic=BLUE))
    answer = await post()
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "10"
    assert '"severity":"ERROR"' in capsys.readouterr().out
    monkeypatch.setattr(running, "guard", None)
    assert (await post()).status_code == 204
    assert len(await running.messages(EVENTS)) == len(await running.messages(BLUE)) == 1


async def test_a_dead_letter_that_cannot_be_published_is_retried(
    post: Post, running: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    invalid = refuse("Publish", grpc.StatusCode.INVALID_ARGUMENT)
    monkeypatch.setattr(running, "guard", invalid)
    assert (await post(b"not json")).status_code == 503
    assert (await post()).status_code == 503
    monkeypatch.setattr(running, "guard", None)
    assert (await post()).status_code == 204
    assert len(await running.messages(EVENTS)) == 1


async def test_an_event_that_another_worker_holds_is_refused(
    post: Post, running: Emulated, store: FirestoreStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.dispatcher.ledger._PAUSES", (0,))
    parsed = Settings.read(running.environ)
    held = first_claim(EVENT, "another", dispatcher._now(), parsed.terms)
    await store.create(document_id("evt_1"), held)
    answer = await post()
    assert (answer.status_code, bytes(answer.body)) == (
        409,
        b'{"error":"another worker holds the event"}',
    )
    assert await running.messages(EVENTS) == []


async def test_a_push_is_not_acknowledged_without_the_ledger(
    post: Post, running: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = refuse("BatchWrite", grpc.StatusCode.PERMISSION_DENIED)
    monkeypatch.setattr(running, "guard", away)
    assert (await post()).status_code == 503
    assert await running.messages(EVENTS) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_other_methods_than_post_are_refused(method: str) -> None:
    answer = await Dispatcher(Unused(), None)(request(method=method))
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("body", [b"", b"hello", b"{}", b"[" * 100_000])
async def test_a_request_that_is_not_a_push_is_refused(body: bytes) -> None:
    answer = await Dispatcher(Unused(), None)(request(body))
    assert answer.status_code == 400


async def test_a_body_over_the_cap_is_refused() -> None:
    headers = {"content-length": str(push.MAX_PUSH_BYTES + 1)}
    answer = await Dispatcher(Unused(), None)(request(headers=headers))
    assert answer.status_code == 413


async def test_the_environment_names_the_ledgers_database(running: Emulated) -> None:
    handler = create({**running.environ, "FIRESTORE_DATABASE": "gemini-webhooks"})
    assert isinstance(handler, Dispatcher)
    message = {"data": base64.b64encode(json.dumps(BODY).encode()).decode(), "attributes": GIVEN}
    answers = [await handler(request(json.dumps({"message": message}).encode())) for _ in "ab"]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert len(await running.messages(EVENTS)) == 1
    worker: Any = handler._worker
    store = worker._ledger._store
    assert store._database == "projects/my-project/databases/gemini-webhooks"
    await store.close()
    await worker._publisher.close()


async def test_the_first_message_installs_the_stop_signals_handler(
    post: Post, running: Emulated
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    await post()
    assert signal.getsignal(signal.SIGTERM) is not before
    assert running.calls["Publish"] == 2


async def test_missing_credentials_are_answered_503(
    running: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_to_open(**_arguments: object) -> None:
        raise DefaultCredentialsError("none")

    monkeypatch.setattr(google.auth, "default", refuse_to_open)
    environ = {**running.environ, "FIRESTORE_EMULATOR_HOST": ""}
    message = {"data": base64.b64encode(json.dumps(BODY).encode()).decode(), "attributes": GIVEN}
    answer = await create(environ)(request(json.dumps({"message": message}).encode()))
    assert answer.status_code == 503


async def test_with_an_audience_the_caller_is_checked() -> None:
    handler = create({"GOOGLE_CLOUD_PROJECT": "my-project", "OIDC_AUDIENCE": "https://x"})
    assert (await handler(request(b'{"message":{"data":"e30="}}'))).status_code == 401


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GOOGLE_CLOUD_PROJECT", ""),
        ("EVENTS_TOPIC", "a/b"),
        ("DEAD_LETTER_TOPIC", "goog"),
        ("FIRESTORE_DATABASE", "Default"),
        ("LEASE_SECONDS", "1"),
        ("LEASE_SECONDS", "two minutes"),
        ("DEDUP_RETENTION_DAYS", "0"),
        ("ROUTES", "[7]"),
    ],
)
def test_a_wrong_value_stops_the_start_and_is_named(variable: str, value: str) -> None:
    environ = {"GOOGLE_CLOUD_PROJECT": "my-project", variable: value}
    with pytest.raises(ConfigurationError, match=f"^{variable} .*; for example {variable}="):
        create(environ)


def test_the_clock_is_in_utc() -> None:
    assert datetime.now(UTC) - dispatcher._now() < timedelta(minutes=1)


async def test_neither_payloads_nor_attributes_are_logged(
    post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    await post({**BODY, "canary": "c4n4ry"}, canary="c4n4ry")
    await post(b"c4n4ry", canary="c4n4ry")
    written = capsys.readouterr().out
    assert "not-json" in written
    assert "c4n4ry" not in written


class Anywhere:
    async def publish(self, *_arguments: object, **_options: object) -> str:
        return "1"


texts = st.text(max_size=20)
messages = st.fixed_dictionaries(
    {},
    optional={
        "data": texts | st.binary().map(lambda data: base64.b64encode(data).decode()),
        "attributes": st.dictionaries(st.sampled_from([*GIVEN, "replay", "reason"]), texts),
    },
)
bodies = st.binary() | st.fixed_dictionaries({"message": messages}).map(
    lambda envelope: json.dumps(envelope).encode()
)


@given(body=bodies)
async def test_any_request_is_answered_as_designed(body: bytes) -> None:
    parsed = Settings.read({"GOOGLE_CLOUD_PROJECT": "my-project"})
    worker = Worker(parsed, MemoryStore(), Anywhere(), dispatcher._now)
    answer = await Dispatcher(worker, None)(request(body))
    assert answer.status_code in {204, 400}
