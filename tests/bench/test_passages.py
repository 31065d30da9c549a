"""The time from a delivery to its event, through the functions that pass bytes on."""

import asyncio
import os
from typing import Any

import pytest
from google.pubsub_v1.types import PublishRequest

from bench import parties
from bench.cloud import NAMES, cloud
from bench.cores import divide
from bench.identity import identity
from bench.passages import Arrivals, Way, summarise
from localcloud.core.rpc import Call

PUBLISH = "google.pubsub.v1.Publisher/Publish"


def call(topic: str, *attributes: dict[str, str]) -> Call:
    messages: list[Any] = [{"attributes": each} for each in attributes]
    return Call(None, PUBLISH, PublishRequest.pb()(topic=topic, messages=messages), {})


async def test_events_arrive_on_the_events_topic_only() -> None:
    arrivals = Arrivals()
    arrivals.expect(["one", "two"])
    await arrivals(call(NAMES.ingress, {"webhook-id": "one"}))
    assert not arrivals.at
    await arrivals(call(NAMES.events, {"ce-id": "one", "webhook-id": "two"}))
    assert arrivals.at.keys() == {"one"}
    assert not arrivals.complete.is_set()
    await arrivals(call(NAMES.events, {"webhook-id": "two"}))
    assert arrivals.complete.is_set()


async def test_a_second_message_of_an_event_changes_nothing() -> None:
    arrivals = Arrivals()
    arrivals.expect(["one"])
    await arrivals(call(NAMES.events, {"ce-id": "one"}, {"ce-id": "one"}))
    first = dict(arrivals.at)
    await arrivals(call(NAMES.events, {"ce-id": "one"}))
    assert arrivals.at == first


def test_percentiles_are_in_microseconds() -> None:
    passage = summarise([number / 1000 for number in range(101)])
    assert (passage.events, passage.p50, passage.p99) == pytest.approx((101, 50_000, 99_000))


@pytest.mark.parametrize("more", [{}, {"CLAIM": "1"}], ids=["passing", "claiming"])
async def test_every_delivery_passes_both_functions(more: dict[str, str]) -> None:
    arrivals, cores = Arrivals(), divide(os.sched_getaffinity(0))
    source = parties.PEERS / "passing.py"
    with identity() as (signer, keys):
        async with cloud(arrivals) as served:
            environ = keys | served | more
            async with (
                parties.function("receive", environ, cores, source=source) as receive,
                parties.function("dispatch", environ, cores, source=source) as dispatch,
            ):
                pubsub = environ["PUBSUB_EMULATOR_HOST"]
                way = Way(pubsub, receive, dispatch, signer, arrivals)
                passage = await asyncio.wait_for(way.take(rate=40, seconds=1, seed=1), 60)
    assert passage.events == 40
    assert 0 < passage.p50 <= passage.p99
