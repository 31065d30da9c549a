import asyncio

import pytest

from relay.errors import Unavailable
from relay.keys.cache import KeyCache, Loaded, LoadFailed, Pace

PACE = Pace(stale=1000, between_forced=5, after_failure=2, timeout=60)


class Source:
    """Loads what the test says, once the test lets it; and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.loads = 0
        self.keys: list[str] = ["first"]
        self.error: Exception | None = None
        self.once: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.cache = KeyCache("test-keys", self.load, PACE, lambda: self.now)

    async def load(self) -> Loaded[list[str]]:
        self.loads += 1
        await self.gate.wait()
        error, self.once = self.once or self.error, None
        if error:
            raise error
        return Loaded(list(self.keys), 60)


@pytest.fixture
def source() -> Source:
    return Source()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_nothing_is_loaded_before_it_is_needed(source: Source) -> None:
    assert source.cache.fresh() is None
    assert source.loads == 0


async def test_all_that_wait_share_the_first_load(source: Source) -> None:
    found = await asyncio.gather(*(source.cache.current() for _ in range(20)))
    assert found == [["first"]] * 20
    assert source.loads == 1
    assert source.cache.fresh() == ["first"] == await source.cache.current()
    assert source.loads == 1


async def test_fresh_keys_are_not_loaded_again(source: Source) -> None:
    await source.cache.current()
    source.now += 59.9
    assert source.cache.fresh() == await source.cache.current() == ["first"]
    assert source.loads == 1


async def test_past_their_lifetime_keys_are_refreshed_before_they_are_used(source: Source) -> None:
    await source.cache.current()
    source.now += 60
    source.keys = ["second"]
    assert source.cache.fresh() is None
    source.gate.clear()
    waiting = [asyncio.create_task(source.cache.current()) for _ in range(5)]
    await settle()
    assert not any(task.done() for task in waiting)
    source.gate.set()
    assert await asyncio.gather(*waiting) == [["second"]] * 5
    assert source.loads == 2


async def test_a_forced_refresh_does_not_block_who_has_a_fresh_key(source: Source) -> None:
    seen = await source.cache.current()
    source.gate.clear()
    forced = asyncio.create_task(source.cache.newer(seen))
    await settle()
    assert source.loads == 2
    assert source.cache.fresh() is await source.cache.current() is seen
    source.gate.set()
    assert await forced == ["first"]


async def test_the_last_good_keys_serve_through_an_outage_for_a_bounded_time(
    source: Source,
) -> None:
    await source.cache.current()
    source.error = OSError("down")
    source.now += 60 + 999
    assert source.cache.fresh() is None
    assert await source.cache.current() == ["first"]
    assert source.loads == 2, "they served before a refresh had failed"
    source.now += 1
    with pytest.raises(Unavailable) as caught:
        await source.cache.current()
    assert caught.value.reason == "test-keys"


async def test_keys_that_a_failed_load_takes_away_serve_no_longer(source: Source) -> None:
    source.keys = ["first", "second"]
    await source.cache.current()
    source.error = LoadFailed(["second"])
    source.now += 60
    assert await source.cache.current() == ["second"]
    source.error = LoadFailed([])
    source.now += PACE.after_failure
    with pytest.raises(Unavailable):
        await source.cache.current()


async def test_a_load_that_was_stopped_half_way_does_not_count(source: Source) -> None:
    await source.cache.current()
    source.now += 60
    source.gate.clear()
    abandoned = asyncio.create_task(source.cache.current())
    await settle()
    abandoned.cancel()
    # The process is stopped for 15 minutes; on waking, the load under way has run out of time.
    source.now += 900
    source.once = TimeoutError()
    source.keys = ["second"]
    waiting = asyncio.create_task(source.cache.current())
    await settle()
    source.gate.set()
    assert await waiting == ["second"]
    assert source.loads == 3


async def test_keys_age_from_the_start_of_their_load(source: Source) -> None:
    source.gate.clear()
    waiting = asyncio.create_task(source.cache.current())
    await settle()
    # The process is stopped with the answer in hand, for longer than the keys live.
    source.now += 61
    source.keys = ["second"]
    source.gate.set()
    assert await waiting == ["second"]
    assert source.loads == 2


async def test_failed_loads_are_not_repeated_at_once(source: Source) -> None:
    source.error = OSError("down")
    for _ in range(10):
        with pytest.raises(Unavailable):
            await source.cache.current()
    assert source.loads == 1
    source.now += 1.9
    with pytest.raises(Unavailable):
        await source.cache.current()
    assert source.loads == 1
    source.now += 0.2
    source.error = None
    assert await source.cache.current() == ["first"]


async def test_an_outage_is_logged_without_what_went_wrong_in_words(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    source.error = ValueError("whsec_leaked")
    with pytest.raises(Unavailable):
        await source.cache.current()
    out = capsys.readouterr().out
    assert '"error":"ValueError"' in out
    assert "whsec_leaked" not in out


async def test_a_load_that_hangs_ends() -> None:
    async def hang() -> Loaded[list[str]]:
        await asyncio.Event().wait()
        raise AssertionError

    pace = Pace(stale=1, timeout=0.01)
    cache = KeyCache("test-keys", hang, pace, lambda: 0.0)
    with pytest.raises(Unavailable):
        await cache.current()


async def test_an_unknown_key_forces_one_refresh(source: Source) -> None:
    seen = await source.cache.current()
    source.keys = ["second"]
    found = await asyncio.gather(*(source.cache.newer(seen) for _ in range(20)))
    assert found == [["second"]] * 20
    assert source.loads == 2


async def test_forced_refreshes_are_rate_limited(source: Source) -> None:
    await source.cache.current()
    for _ in range(50):
        seen = source.cache.fresh()
        assert seen is not None
        await source.cache.newer(seen)
    assert source.loads == 2
    source.now += 5
    seen = source.cache.fresh()
    assert seen is not None
    assert await source.cache.newer(seen) == ["first"]
    assert source.loads == 3


async def test_forced_refreshes_are_rate_limited_after_failures_too(source: Source) -> None:
    seen = await source.cache.current()
    source.error = OSError("down")
    for _ in range(20):
        assert await source.cache.newer(seen) is None
    source.now += 5
    assert await source.cache.newer(seen) is None
    assert source.loads == 3
    assert source.cache.fresh() is seen


async def test_no_refresh_is_forced_while_a_failure_is_recent(source: Source) -> None:
    seen = await source.cache.current()
    source.now += 61
    source.error = OSError("down")
    assert await source.cache.current() is seen
    assert await source.cache.newer(seen) is None
    assert source.loads == 2


async def test_who_finds_a_refresh_under_way_waits_for_it(source: Source) -> None:
    seen = await source.cache.current()
    source.now += 61
    source.keys = ["second"]
    source.gate.clear()
    others = asyncio.create_task(source.cache.current())
    await settle()
    waiting = asyncio.create_task(source.cache.newer(seen))
    await settle()
    source.gate.set()
    assert await waiting == await others == ["second"]
    assert source.loads == 2


async def test_keys_that_are_newer_already_need_no_refresh(source: Source) -> None:
    seen = await source.cache.current()
    newer = await source.cache.newer(seen)
    assert newer is not None
    assert newer is not seen
    assert await source.cache.newer(seen) is newer
    assert source.loads == 2


async def test_who_gives_up_waiting_does_not_end_the_load_for_others(source: Source) -> None:
    source.gate.clear()
    impatient = asyncio.create_task(source.cache.current())
    patient = asyncio.create_task(source.cache.current())
    await settle()
    impatient.cancel()
    await settle()
    source.gate.set()
    assert await patient == ["first"]
    assert source.loads == 1


async def test_keys_that_were_all_withdrawn_serve_no_longer(source: Source) -> None:
    await source.cache.current()
    source.keys = []
    source.now += 61
    with pytest.raises(Unavailable):
        await source.cache.current()
    assert source.cache.fresh() is None
    source.keys = ["second"]
    source.now += 2
    assert await source.cache.current() == ["second"]
