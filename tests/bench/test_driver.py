"""What the driver prepares, and that it does no more than it is told."""

import json
from datetime import UTC, datetime

from bench import driver
from bench.driver import Item, prepare
from relay import push

NOW = datetime(2026, 1, 22, 12, tzinfo=UTC)


def items(count: int) -> list[Item]:
    return [prepare(number, NOW) for number in range(count)]


def test_a_push_brings_the_message() -> None:
    message = driver.message(7)
    assert push.parse({}, driver.envelope(message)) == message


async def test_a_request_reads_like_a_servers() -> None:
    request = driver.request(b'{"a": 1}')
    assert request.method == "POST"
    assert request.headers["content-length"] == "8"
    assert await request.body() == b'{"a": 1}'


def test_what_is_prepared_is_what_the_dispatcher_would_publish() -> None:
    item = prepare(7, NOW)
    assert item.attributes["ce-id"] == item.fields["id"]
    assert json.loads(item.data)["type"] == item.attributes["ce-type"]


def test_no_two_events_share_a_document() -> None:
    assert len({item.document for item in items(100)}) == 100


async def test_each_item_is_acted_on_once() -> None:
    acted = []

    async def act(item: Item) -> None:
        acted.append(item.document)

    work = await driver.run(act, items(100), seconds=60)
    assert work.events == 100
    assert sorted(acted) == sorted(item.document for item in items(100))


async def test_time_that_is_over_ends_the_work() -> None:
    async def act(item: Item) -> None:
        raise AssertionError(item)

    work = await driver.run(act, items(3), seconds=0)
    assert work.events == 0
