"""A rotation under continuous deliveries, through the registrar and the receiver."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace

import pytest

from localcloud.gemini.deliveries import Delivery
from relay.receiver import function as receiver
from relay.registrar.state import AFTER_A_DAY, AT_ONCE
from tests.relay.registrar.world import PROJECT, Site, World
from tests.support.publish_sink import Sink

NEVER = timedelta(0)
ROTATIONS = 5


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    sink = Sink()
    await sink.start()
    yield sink
    await sink.stop()


@pytest.fixture
async def site(world: World, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return a registered site whose deliveries go to a receiver that reads its secret."""
    clocks = SimpleNamespace(time=time.time, monotonic=world.clock.time)
    monkeypatch.setattr(receiver, "time", clocks)
    site = await world.site()
    await site.controller().converge()
    start_receiver(site, sink)
    return site


def start_receiver(site: Site, sink: Sink) -> None:
    environ = {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "PUBSUB_EMULATOR_HOST": sink.address,
        "SECRET_MANAGER_EMULATOR_HOST": site.world.secrets_address,
        "SIGNING_SECRET": site.settings.signing_secret,
        "SCHEMES": "v1",
    }
    site.world.endpoint.app = receiver.create(environ, now=site.world.clock.time)


async def emit_until(stop: asyncio.Event, site: Site) -> list[Delivery]:
    sent: list[Delivery] = []
    while not stop.is_set():
        sent += site.world.gemini.emit("batch.failed")
        await asyncio.sleep(0)
        await site.world.gemini.courier.quiet()
    return sent


async def rotate_under_load(site: Site, behavior: str) -> list[Delivery]:
    """Rotate some times while deliveries go on; return them once all are settled."""
    stop = asyncio.Event()
    emitting = asyncio.create_task(emit_until(stop, site))
    for _ in range(ROTATIONS):
        await site.controller().rotate(behavior, NEVER)
    stop.set()
    sent = await emitting
    sent += site.world.gemini.emit("batch.failed")
    for _ in range(10):
        await site.world.gemini.courier.quiet()
        await site.world.clock.advance(60)
    await site.world.gemini.courier.quiet()
    return sent


async def test_with_an_overlap_nothing_valid_is_refused(site: Site, sink: Sink) -> None:
    sent = await rotate_under_load(site, AFTER_A_DAY)
    assert len(sent) > ROTATIONS
    assert [[attempt.status for attempt in delivery.attempts] for delivery in sent] == [
        [200]
    ] * len(sent)
    stored = [message.attributes["webhook-id"] for message in sink.stored]
    assert set(stored) >= {delivery.message.webhook_id for delivery in sent}


async def test_after_an_immediate_revocation_refused_deliveries_are_retried(
    site: Site, sink: Sink
) -> None:
    sent = await rotate_under_load(site, AT_ONCE)
    assert {delivery.state for delivery in sent} == {"delivered"}
    assert {attempt.status for delivery in sent for attempt in delivery.attempts} <= {200, 401}
    stored = [message.attributes["webhook-id"] for message in sink.stored]
    assert set(stored) >= {delivery.message.webhook_id for delivery in sent}
    assert list(await site.versions()) == [ROTATIONS + 1]


async def test_after_the_overlap_the_old_secret_is_refused(site: Site, sink: Sink) -> None:
    world = site.world
    (webhook,) = site.registered()
    old = webhook.secrets[0].value
    await site.controller().rotate(AFTER_A_DAY, NEVER)
    await world.clock.advance(24 * 3600)
    await site.controller().converge()
    start_receiver(site, sink)
    (valid,) = world.gemini.emit("batch.failed")
    await world.gemini.courier.quiet()
    webhook.secrets[0].value = old
    (stolen,) = world.gemini.emit("batch.failed")
    await world.gemini.courier.quiet()
    assert (valid.attempts[0].status, stolen.attempts[0].status) == (200, 401)
