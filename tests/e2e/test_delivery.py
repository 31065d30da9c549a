"""From Gemini to a subscriber, with nothing in between replaced."""

import json

import httpx2
import pytest

from localcloud.gemini.catalogue import SUBSCRIBABLE, TYPES
from localcloud.gemini.forge import FORGERIES
from tests.e2e.conftest import World, identifier

SCHEMES = ("v1", "v1a", "jwt", "mixed")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_every_type_arrives_in_every_scheme(world: World, scheme: str) -> None:
    async with world.subscribed() as inbox:
        sent = {each: world.emit(each, scheme) for each in (*TYPES, "something.new")}
        ids = {each: identifier(deliveries) for each, deliveries in sent.items()}
        await inbox.until(*ids.values())

        for event_type, deliveries in sent.items():
            assert await world.taken(deliveries)
            (message,) = inbox.of(ids[event_type])
            attributes = message.attributes
            assert message.data == deliveries[0].message.body
            assert attributes["ce-type"] == event_type
            assert attributes["ce-specversion"] == "1.0"
            assert attributes["content-type"] == "application/json"
            # Any entry of a mixed list that verifies is enough.
            assert attributes["scheme"] in (("v1", "v1a") if scheme == "mixed" else (scheme,))


async def test_every_subscribable_type_arrives(world: World) -> None:
    async with world.subscribed() as inbox:
        sent = [world.stack.gemini.emit(event_type) for event_type in SUBSCRIBABLE]

        await inbox.until(*map(identifier, sent))


@pytest.mark.parametrize("scheme", ["v1", "v1a", "jwt"])
async def test_a_repeated_delivery_is_acknowledged_and_dropped(world: World, scheme: str) -> None:
    async with world.subscribed() as inbox:
        deliveries = world.emit("batch.succeeded", scheme, times=5)
        assert await world.taken(deliveries)
        await inbox.until(identifier(deliveries))
        await world.dispatched()
        marker = identifier(world.emit("batch.expired", scheme))
        await inbox.until(marker)

        assert len(inbox.of(identifier(deliveries))) == 1


@pytest.mark.parametrize("scheme", ["v1", "v1a", "jwt"])
@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_delivery_is_refused_and_not_stored(
    world: World, scheme: str, forgery: str
) -> None:
    deliveries = world.emit("batch.succeeded", scheme, forgery=forgery)

    assert await world.answered(deliveries) == [400 if forgery == "missing-header" else 401]
    assert identifier(deliveries) not in world.stored()


async def test_metadata_selects_routes_and_filters(world: World) -> None:
    async with (
        world.subscribed(topic="blue") as blue,
        world.subscribed('attributes.meta-team = "blue"') as filtered,
    ):
        wanted = world.emit("batch.failed", user_metadata={"team": "blue", "shard": 7})
        other_type = world.emit("video.generated", user_metadata={"team": "blue"})
        other_team = world.emit("batch.failed", user_metadata={"team": "red"})
        marker = world.emit("batch.expired", user_metadata={"team": "blue"})
        await blue.until(identifier(wanted), identifier(marker))
        await filtered.until(*map(identifier, (wanted, other_type, marker)))
        assert await world.taken([*other_type, *other_team])

        (message,) = blue.of(identifier(wanted))
        assert message.attributes["meta-shard"] == "7"
        assert set(blue.ids()) == {identifier(wanted), identifier(marker)}
        assert identifier(other_team) not in filtered.ids()


async def test_a_rotation_refuses_no_delivery(world: World) -> None:
    async with world.subscribed() as inbox:
        before = world.emit("batch.succeeded")
        await world.stack.webhook.rotate()
        after = world.emit("batch.succeeded")
        await inbox.until(identifier(before), identifier(after))

    assert await world.taken([*before, *after])


async def test_a_body_that_is_not_json_becomes_a_dead_letter(world: World) -> None:
    async with world.subscribed(topic="dead-letter") as dead_letters:
        deliveries = world.emit("ignored", body=b"\xff not json")
        assert await world.taken(deliveries)

        message = await anext(dead_letters.messages)

    assert message.data == b"\xff not json"
    assert message.attributes["webhook-id"] == identifier(deliveries)
    assert message.attributes["reason"] == "not-json"


@pytest.mark.parametrize(
    ("method", "headers", "body", "status"),
    [
        ("PUT", {}, b"", 405),
        ("POST", {}, b"{}", 400),
        ("POST", {}, bytes(300_000), 413),
        (
            "POST",
            {"webhook-id": "x", "webhook-timestamp": "1e9", "webhook-signature": "v1,"},
            b"",
            400,
        ),
        (
            "POST",
            {"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,"},
            b"",
            401,
        ),
    ],
)
async def test_a_malformed_request_is_refused(
    world: World, method: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    async with httpx2.AsyncClient() as client:
        answer = await client.request(method, world.uri, headers=headers, content=body)

    assert answer.status_code == status
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_receiver_answers_health_checks(world: World, method: str) -> None:
    async with httpx2.AsyncClient() as client:
        assert (await client.request(method, world.uri)).status_code == 200


async def test_the_log_is_structured_and_holds_no_payload(world: World) -> None:
    deliveries = world.emit("batch.succeeded", user_metadata={"secret": "open sesame"})
    assert await world.taken(deliveries)
    await world.dispatched()

    for _, line in world.lines:
        assert {"severity", "message"} <= json.loads(line).keys()
    assert not any("sesame" in line or "whsec_" in line for _, line in world.lines)
