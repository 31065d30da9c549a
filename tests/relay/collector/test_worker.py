"""What a collected event fetches, stores and announces."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import google_crc32c
import httpx2
import pytest

from localcloud.core.clock import ManualClock
from localcloud.storage import Objects, application
from relay.collector.settings import Settings
from relay.collector.worker import Collector, event_id
from relay.errors import PublishRefused, PublishUnavailable, Unavailable
from relay.gcp.objects import Bucket
from relay.web.push import PushedMessage
from tests.support.gemini import API_KEY, Gemini

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
INGRESS = "projects/my-project/topics/gemini-webhooks-ingress"
DEAD = "projects/my-project/topics/gemini-webhooks-dead-letter"
FILE_PATH = "/v1beta/files/batch-b1:download"
LINES = b'{"response": {"text": "\xc3\xbc"}}\n' * 3
METADATA = {"team": "blue", "relay_job": "job_1.t0ken"}


class Stream(httpx2.AsyncByteStream):
    """A body in pieces; an exception among them is raised."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


def content(body: bytes, **headers: str) -> httpx2.Response:
    return httpx2.Response(200, stream=Stream(body), headers=headers)


@dataclass
class Topics:
    messages: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    failure: Exception | None = None

    async def publish(
        self, topic: str, data: bytes, attributes: Mapping[str, str], *, timeout: float
    ) -> str:
        assert timeout > 0
        if self.failure:
            raise self.failure
        self.messages.append((topic, data, dict(attributes)))
        return "1"

    def of(self, topic: str) -> list[tuple[dict[str, Any], dict[str, str]]]:
        return [(json.loads(data), given) for name, data, given in self.messages if name == topic]


@dataclass
class World:
    now: datetime = NOW
    gemini: Gemini = field(default_factory=Gemini)
    topics: Topics = field(default_factory=Topics)
    objects: Objects = field(default_factory=lambda: Objects(ManualClock()))

    def __post_init__(self) -> None:
        storage = httpx2.ASGITransport(application(self.objects, {"results"}))
        self.bucket = Bucket("results", "http://storage", transport=storage)
        settings = Settings("results", INGRESS, DEAD, API_KEY)
        self.collector = Collector(
            settings, self.gemini.api, self.bucket, self.topics, lambda: self.now
        )

    async def deliver(self, event_type: str, **data: Any) -> None:
        await self.collector.handle(message(event_type, **data))

    def stored(self, name: str) -> bytes:
        return self.objects.get("results", name).content

    @property
    def names(self) -> list[str]:
        return [item["name"] for item in self.objects.list("results")["items"]]


def message(
    event_type: str, published: str = "2027-01-15T07:59:59.1Z", **data: Any
) -> PushedMessage:
    body = {"type": event_type, "version": "v1", "data": {**data, "user_metadata": METADATA}}
    attributes = {"ce-id": "evt_1", "ce-type": event_type, "job": "job_1"}
    return PushedMessage(json.dumps(body).encode(), attributes, "7", published)


def crc(stored: bytes) -> str:
    return base64.b64encode(google_crc32c.value(stored).to_bytes(4, "big")).decode()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("relay.gcp.objects._PAUSE_SECONDS", 0.0)
    return World()


BATCH = {"id": "batch_b1", "output_file_uri": "files/batch-b1"}


async def test_a_batchs_file_is_collected_and_announced(world: World) -> None:
    world.gemini.answers[FILE_PATH] = content(LINES)
    await world.deliver("batch.succeeded", **BATCH)
    assert world.gemini.requests[0].url.query == b"alt=media"
    assert world.stored("batch/b1/results.jsonl") == LINES
    [(body, attributes)] = world.topics.of(INGRESS)
    uri = "gs://results/batch/b1/results.jsonl"
    entry = {"uri": uri, "size": len(LINES), "crc32c": crc(LINES)}
    assert body == {
        "type": "relay.job.collected",
        "version": "v1",
        "timestamp": "2027-01-15T08:00:00.000Z",
        "data": {
            "id": "batch_b1",
            "objects": [{**entry, "content_type": "application/jsonl"}],
            "user_metadata": METADATA,
        },
    }
    identifier = "col_" + hashlib.sha256(uri.encode()).hexdigest()[:32]
    assert event_id(uri) == identifier
    assert attributes == {
        "webhook-id": identifier,
        "dedup-key": identifier,
        "webhook-timestamp": str(int(NOW.timestamp())),
        "scheme": "collected",
        "received-at": "2027-01-15T08:00:00.000Z",
    }
    assert len(world.topics.messages) == 1


async def test_a_video_is_collected(world: World) -> None:
    world.gemini.answers["/v1beta/files/f1:download"] = content(b"\x00mp4")
    await world.deliver("video.generated", file_id="files/f1")
    assert world.stored("video/f1/video.mp4") == b"\x00mp4"


# Byte for byte: neither what is in it nor how it is written changes.
REPLY = b'{ "status" : "completed",\n "outputs": [{"text": "\xc3\xbc \\u00fc"}], "n": 1.0e3 }\n'


async def test_an_interactions_json_is_collected(world: World) -> None:
    world.gemini.answers["/v1/interactions/v1_a"] = content(REPLY)
    await world.deliver("interaction.completed", id="v1_a")
    assert world.stored("interaction/v1_a/interaction.json") == REPLY
    assert world.gemini.requests[0].url.query == b"stream=false"


async def test_an_inline_batch_is_collected(world: World) -> None:
    answer = {"metadata": {"state": "BATCH_STATE_SUCCEEDED", "output": {"inlinedResponses": {}}}}
    world.gemini.answers["/v1/batches/b1"] = answer
    await world.deliver("batch.succeeded", id="batch_b1")
    assert json.loads(world.stored("batch/b1/batch.json")) == answer


async def test_an_event_that_does_not_name_the_file_of_its_batch(world: World) -> None:
    output = {"responsesFile": "files/batch-b1"}
    metadata = {"state": "BATCH_STATE_SUCCEEDED", "output": output}
    world.gemini.answers = {"/v1/batches/b1": {"metadata": metadata}, FILE_PATH: content(LINES)}
    await world.deliver("batch.succeeded", id="batch_b1")
    assert world.names == ["batch/b1/results.jsonl"]
    assert len(world.topics.of(INGRESS)) == 1


async def test_an_event_without_a_result_asks_nothing(world: World) -> None:
    for event_type in ("batch.failed", "interaction.requires_action", "relay.job.collected"):
        await world.deliver(event_type, id="b1")
    await world.collector.handle(PushedMessage(b"not json", {}))
    assert world.gemini.requests == []
    assert world.topics.messages == []


async def test_a_description_that_has_grown_is_announced_without_its_size(world: World) -> None:
    path = "/v1/interactions/v1_a"
    world.gemini.answers[path] = content(REPLY)
    world.topics.failure = PublishUnavailable("down")
    with pytest.raises(Unavailable):
        await world.deliver("interaction.completed", id="v1_a")
    world.topics.failure = None
    # Gemini adds the usage seconds after the end.
    world.gemini.answers[path] = content(b'{"status": "completed", "usage": {"total_tokens": 1}}')
    await world.deliver("interaction.completed", id="v1_a")
    assert world.stored("interaction/v1_a/interaction.json") == REPLY
    [(body, _)] = world.topics.of(INGRESS)
    uri = "gs://results/interaction/v1_a/interaction.json"
    assert body["data"]["objects"] == [{"uri": uri, "content_type": "application/json"}]


@pytest.mark.parametrize("there", [LINES, b"older"])
async def test_an_object_that_is_there_is_announced_and_stays(world: World, there: bytes) -> None:
    world.objects.put("results", "batch/b1/results.jsonl", {}, there)
    world.gemini.answers[FILE_PATH] = content(LINES)
    await world.deliver("batch.succeeded", **BATCH)
    assert world.stored("batch/b1/results.jsonl") == there
    [(body, _)] = world.topics.of(INGRESS)
    assert body["data"]["objects"][0]["crc32c"] == crc(LINES)


async def test_a_repeated_event_has_the_same_announcement(world: World) -> None:
    for _ in range(2):
        world.gemini.answers[FILE_PATH] = content(LINES)
        await world.deliver("batch.succeeded", **BATCH)
    first, second = world.topics.of(INGRESS)
    assert first == second


# Downloads that fail.


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, stream=Stream(LINES, httpx2.ReadError("cut"))),
        httpx2.Response(200, stream=Stream(httpx2.RemoteProtocolError("cut"))),
        httpx2.Response(200, stream=Stream(LINES), headers={"content-length": "1000"}),
        httpx2.ConnectError("down"),
        500,
        503,
        429,
        400,
        403,
        httpx2.Response(302, headers={"location": "https://elsewhere.example/"}),
    ],
)
async def test_a_download_that_fails_leaves_no_object(world: World, answer: Any) -> None:
    world.gemini.answers[FILE_PATH] = answer
    with pytest.raises(Unavailable):
        await world.deliver("batch.succeeded", **BATCH)
    assert world.names == []
    assert world.topics.messages == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"status": "completed", "outputs": [',
        b'[{"error": {"code": 504}}]',
        b"<html>",
        b"",
        b'{"status": "in_progress"}',
        b'{"status": "requires_action"}',
        b"{}",
    ],
)
async def test_a_description_without_the_result_leaves_no_object(world: World, body: bytes) -> None:
    world.gemini.answers["/v1/interactions/v1_a"] = content(body)
    with pytest.raises(Unavailable):
        await world.deliver("interaction.completed", id="v1_a")
    assert world.names == []


async def test_a_batch_that_has_not_ended_yet_is_put_off(world: World) -> None:
    world.gemini.answers["/v1/batches/b1"] = {"metadata": {"state": "BATCH_STATE_RUNNING"}}
    with pytest.raises(Unavailable, match="lags"):
        await world.deliver("batch.succeeded", id="b1")
    assert world.names == []


async def test_a_result_has_a_time_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.collector.worker.BUDGET_SECONDS", 0.05)

    class Slow(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield LINES
            await asyncio.Event().wait()

    world.gemini.answers[FILE_PATH] = httpx2.Response(200, stream=Slow())
    with pytest.raises(Unavailable, match="cut-short"):
        await world.deliver("batch.succeeded", **BATCH)
    assert world.names == []


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_logged(
    world: World, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    world.gemini.answers[FILE_PATH] = status
    with pytest.raises(Unavailable):
        await world.deliver("batch.succeeded", **BATCH)
    logged = capsys.readouterr().out
    assert '"key refused"' in logged
    assert API_KEY not in logged


async def test_a_file_that_is_hidden_is_no_refused_key(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    hidden = "You do not have permission to access the File batch-b1 or it may not exist."
    refusal = {"error": {"code": 403, "message": hidden, "status": "PERMISSION_DENIED"}}
    world.gemini.answers[FILE_PATH] = httpx2.Response(403, json=refusal)
    with pytest.raises(Unavailable, match="gemini-403"):
        await world.deliver("batch.succeeded", **BATCH)
    assert "key refused" not in capsys.readouterr().out


async def test_a_job_that_is_not_found_yet_is_put_off(world: World) -> None:
    for event_type, path in (
        ("interaction.completed", "/v1/interactions/b1"),
        ("batch.succeeded", "/v1/batches/b1"),
    ):
        world.gemini.answers[path] = 404
        with pytest.raises(Unavailable, match="gemini-404"):
            await world.deliver(event_type, id="b1")
        world.gemini.answers[path] = 410
        await world.deliver(event_type, id="b1")
    reasons = [attributes["reason"] for _, _, attributes in world.topics.messages]
    assert reasons == ["expired", "expired"]


# Dead letters.


@pytest.mark.parametrize("status", [404, 410])
async def test_a_file_that_has_expired_is_a_dead_letter(world: World, status: int) -> None:
    world.gemini.answers[FILE_PATH] = status
    sent = message("batch.succeeded", **BATCH)
    await world.collector.handle(sent)
    [(topic, data, attributes)] = world.topics.messages
    assert (topic, data) == (DEAD, sent.data)
    # Fit to be published to the ingress topic again.
    identity = {"webhook-id": "evt_1", "dedup-key": "evt_1"}
    replay = {"replay": "collect-7", "replay-route": "events"}
    assert attributes == {**sent.attributes, **identity, **replay, "reason": "expired"}


async def test_a_dead_letter_of_a_replay_is_a_replay_of_its_own(world: World) -> None:
    sent = message("batch.succeeded", **BATCH)
    replayed = {**sent.attributes, "replay": "collect-6"}
    await world.collector.handle(PushedMessage(sent.data, replayed, "7"))
    assert world.topics.messages[0][2]["replay"] == "collect-7"


@pytest.mark.parametrize("uri", ["gs://bucket/r.jsonl", "https://evil.example/v1beta/files/f"])
async def test_what_is_elsewhere_is_a_dead_letter(world: World, uri: str) -> None:
    await world.deliver("batch.succeeded", id="b1", output_file_uri=uri)
    [(topic, _, attributes)] = world.topics.messages
    assert (topic, attributes["reason"]) == (DEAD, "not-fetchable")
    assert world.gemini.requests == []


@pytest.mark.parametrize(("hours", "dead"), [(47.9, False), (48.1, True)])
async def test_after_two_days_a_result_is_given_up(
    world: World, hours: float, *, dead: bool
) -> None:
    published = (NOW - timedelta(hours=hours)).isoformat()
    world.gemini.answers[FILE_PATH] = 503
    sent = message("batch.succeeded", published, **BATCH)
    if dead:
        await world.collector.handle(sent)
        assert world.topics.messages[0][2]["reason"] == "expired"
    else:
        with pytest.raises(Unavailable):
            await world.collector.handle(sent)


async def test_a_message_of_unknown_age_is_not_given_up(world: World) -> None:
    world.gemini.answers[FILE_PATH] = 503
    with pytest.raises(Unavailable):
        await world.collector.handle(message("batch.succeeded", "", **BATCH))


@pytest.mark.parametrize("failure", [PublishUnavailable("down"), PublishRefused("odd")])
@pytest.mark.parametrize("answer", [404, "content"])
async def test_what_is_not_published_is_put_off(
    world: World, failure: Exception, answer: Any
) -> None:
    world.topics.failure = failure
    world.gemini.answers[FILE_PATH] = content(LINES) if answer == "content" else answer
    with pytest.raises(Unavailable):
        await world.deliver("batch.succeeded", **BATCH)
    # What is stored stays, and the next attempt announces it.
    world.topics.failure = None
    world.gemini.answers[FILE_PATH] = content(LINES) if answer == "content" else answer
    await world.deliver("batch.succeeded", **BATCH)
    assert len(world.topics.messages) == 1


async def test_without_the_bucket_a_result_is_put_off(world: World) -> None:
    world.bucket.name = "elsewhere"
    world.gemini.answers[FILE_PATH] = content(LINES)
    with pytest.raises(Unavailable, match="storage-404"):
        await world.deliver("batch.succeeded", **BATCH)


async def test_nothing_of_a_result_is_logged(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.gemini.answers["/v1/interactions/v1_a"] = content(REPLY)
    await world.deliver("interaction.completed", id="v1_a")
    logged = capsys.readouterr().out
    assert '"result collected"' in logged
    for secret in ("outputs", "t0ken", API_KEY):
        assert secret not in logged
