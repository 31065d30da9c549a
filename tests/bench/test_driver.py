"""The driver acts on each item once, and stops in time."""

from datetime import UTC, datetime

from bench import driver
from bench.events import Item, prepare

NOW = datetime(2026, 1, 22, 12, tzinfo=UTC)


def items(count: int) -> list[Item]:
    return [prepare(number, NOW) for number in range(count)]


async def test_each_item_is_acted_on_once() -> None:
    acted = []

    async def act(item: Item) -> None:
        acted.append(item.document)

    work = await driver.run(act, items(100), seconds=60)
    assert work.events == 100
    assert sorted(acted) == sorted(item.document for item in items(100))


async def test_no_item_is_started_after_the_time() -> None:
    async def act(item: Item) -> None:
        raise AssertionError(item)

    work = await driver.run(act, items(3), seconds=0)
    assert work.events == 0
