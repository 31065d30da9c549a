import asyncio

from localcloud.controlplane.journal import Entry, Journal


def entry(call: str, *, writes: bool = False) -> Entry:
    return Entry(0.0, "user:me@example.com", "pubsub.googleapis.com", call, 200, writes)


def test_since_returns_calls_after_a_mark() -> None:
    journal = Journal()
    journal.add(entry("GET /a"))
    mark = journal.mark()
    journal.add(entry("GET /b"))
    journal.add(entry("PUT /c", writes=True))
    assert [each.call for each in journal.since(mark)] == ["GET /b", "PUT /c"]
    assert [each.call for each in journal.writes(mark)] == ["PUT /c"]


def test_the_oldest_entries_are_dropped_first() -> None:
    journal = Journal(limit=2)
    mark = journal.mark()
    for call in ("1", "2", "3"):
        journal.add(entry(call))
    assert [each.call for each in journal.since(mark)] == ["2", "3"]
    assert [each.call for each in journal.since(2)] == ["3"]
    assert journal.since(journal.mark()) == []


async def test_seen_returns_once_a_wanted_call_is_recorded() -> None:
    journal = Journal()
    journal.add(entry("wanted"))
    mark = journal.mark()
    waiting = asyncio.create_task(journal.seen(lambda each: each.call == "wanted", mark))
    for call in ("other", "wanted"):
        await asyncio.sleep(0)
        assert not waiting.done()
        journal.add(entry(call))
    assert (await waiting).call == "wanted"
    assert (await journal.seen(lambda each: each.call == "other")).call == "other"
