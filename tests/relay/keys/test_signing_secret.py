import asyncio
from collections.abc import Sequence

import pytest

from relay.errors import VersionInactive, VersionMissing
from relay.keys.cache import LoadFailed
from relay.keys.secret import parse_secret
from relay.keys.signing_secret import SigningSecretLoader
from tests.support.signing import secret


class Fake:
    """A secret whose list says what the test wants, and whose versions are as they are."""

    def __init__(self, *numbers: int) -> None:
        self.payloads = {number: secret(number).encode() for number in numbers}
        self.inactive: set[int] = set()
        self.listed: Sequence[int] | Exception | None = None
        self.outage: set[int | None] = set()
        self.hanging: set[int | None] = set()
        self.accessed: list[int | None] = []

    async def enabled(self) -> Sequence[int]:
        if isinstance(self.listed, Exception):
            raise self.listed
        if self.listed is None:
            return sorted(self.payloads.keys() - self.inactive)
        return self.listed

    async def access(self, number: int | None) -> tuple[int, bytes]:
        self.accessed.append(number)
        if number in self.outage:
            raise OSError("down")
        if number in self.hanging:
            await asyncio.Event().wait()
        actual = max(self.payloads, default=0) if number is None else number
        if actual not in self.payloads:
            raise VersionMissing("NOT_FOUND")
        if actual in self.inactive:
            raise VersionInactive("FAILED_PRECONDITION")
        return actual, self.payloads[actual]


def keys(*numbers: int) -> tuple[bytes, ...]:
    return tuple(parse_secret(secret(number)) for number in numbers)


async def test_the_newest_three_newest_first() -> None:
    loaded = await SigningSecretLoader(Fake(1, 2, 3, 4, 5))()
    assert loaded.keys == keys(5, 4, 3)
    assert loaded.lifetime == 300


async def test_the_one_there_is() -> None:
    assert (await SigningSecretLoader(Fake(1))()).keys == keys(1)


async def test_none_at_all() -> None:
    assert (await SigningSecretLoader(Fake())()).keys == ()


async def test_disabled_and_destroyed_versions_do_not_count() -> None:
    fake = Fake(1, 2, 3, 4, 5)
    fake.inactive = {2, 5}
    fake.listed = [1, 2, 3, 4, 5]
    assert (await SigningSecretLoader(fake)()).keys == keys(4, 3, 1)


async def test_a_version_that_the_list_does_not_know_yet() -> None:
    fake = Fake(1, 2)
    fake.listed = [1]
    assert (await SigningSecretLoader(fake)()).keys == keys(2, 1)


async def test_new_versions_are_found_beyond_inactive_ones() -> None:
    fake = Fake(1, 2, 3)
    fake.listed = [1]
    fake.inactive = {2}
    assert (await SigningSecretLoader(fake)()).keys == keys(3, 1)


async def test_the_search_for_new_versions_is_bounded() -> None:
    fake = Fake(*range(1, 50))
    fake.listed = [1]
    assert (await SigningSecretLoader(fake)()).keys == keys(6, 5, 4)
    assert len(fake.accessed) == 5


async def test_the_search_for_active_versions_is_bounded() -> None:
    fake = Fake(*range(1, 100))
    fake.listed = range(1, 100)
    fake.inactive = set(range(5, 100))
    assert (await SigningSecretLoader(fake)()).keys == ()
    assert len(fake.accessed) == 11


async def test_a_failed_list_falls_back_to_what_is_known_and_what_comes_next() -> None:
    fake = Fake(3, 4)
    load = SigningSecretLoader(fake)
    await load()
    fake.listed = OSError("quota")
    fake.payloads[5] = secret(5).encode()
    fake.inactive = {3}
    assert (await load()).keys == keys(5, 4)


async def test_a_list_that_has_fallen_behind_takes_nothing_away() -> None:
    fake = Fake(3, 4)
    load = SigningSecretLoader(fake)
    await load()
    fake.listed = []
    assert (await load()).keys == keys(4, 3)


async def test_a_list_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_self: Fake) -> Sequence[int]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(Fake, "enabled", hang)
    monkeypatch.setattr("relay.keys.signing_secret._LIST_TIMEOUT", 0.01)
    assert (await SigningSecretLoader(Fake(7, 8))()).keys == keys(8, 7)


async def test_without_a_list_and_a_memory_the_latest_leads() -> None:
    fake = Fake(*range(1, 40))
    fake.listed = OSError("quota")
    fake.inactive = {38}
    assert (await SigningSecretLoader(fake)()).keys == keys(39, 37, 36)


@pytest.mark.parametrize("listed", [OSError("quota"), []])
async def test_the_latest_may_be_disabled(listed: Sequence[int] | Exception) -> None:
    fake = Fake(1, 2, 3)
    fake.listed = listed
    fake.inactive = {3}
    assert (await SigningSecretLoader(fake)()).keys == keys(2, 1)


async def test_an_outage_fails_the_load() -> None:
    fake = Fake(1, 2)
    fake.outage = {1}
    with pytest.raises(LoadFailed) as failed:
        await SigningSecretLoader(fake)()
    assert isinstance(failed.value.__cause__, OSError)
    assert failed.value.usable == ()


async def test_in_an_outage_what_was_found_before_serves_on_but_for_what_is_disabled() -> None:
    fake = Fake(1, 2, 3)
    load = SigningSecretLoader(fake)
    await load()
    fake.inactive, fake.outage = {3}, {1}
    with pytest.raises(LoadFailed) as failed:
        await load()
    assert failed.value.usable == keys(2, 1)


async def test_a_load_whose_time_is_over_keeps_what_it_learnt() -> None:
    fake = Fake(1, 2, 3)
    load = SigningSecretLoader(fake)
    await load()
    fake.inactive, fake.hanging = {3}, {1}
    with pytest.raises(LoadFailed) as failed:
        async with asyncio.timeout(0.05):
            await load()
    assert failed.value.usable == keys(2, 1)


async def test_a_version_that_holds_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    fake = Fake(1, 2, 3, 4)
    fake.payloads[4] = b"\xffpassword"
    fake.payloads[3] = b"hunter2"
    fake.payloads[2] += b"\n"
    assert (await SigningSecretLoader(fake)()).keys == keys(2, 1)
    out = capsys.readouterr().out
    assert out.count("holds no signing secret") == 2
    assert '"version":3' in out
    assert "hunter2" not in out
