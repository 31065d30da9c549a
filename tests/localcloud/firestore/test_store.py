import pytest

from localcloud.core.clock import ManualClock
from localcloud.core.rpc import RpcError
from localcloud.firestore.store import Store
from tests.support.firestore_messages import ROOT, document


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> Store:
    return Store(clock)


def put(store: Store, path: str, n: int) -> int:
    time = store.commit_time()
    store.set(f"{ROOT}/{path}", document(path, {"n": n}), time)
    return time


def read(store: Store, path: str, at: int | None = None) -> int | None:
    found = store.get(f"{ROOT}/{path}", at)
    return None if found is None else found.fields["n"].integer_value


def test_commit_times_grow_while_the_clock_stands(store: Store, clock: ManualClock) -> None:
    now = int(clock.time() * 1_000_000)
    assert [store.commit_time() for _ in range(3)] == [now, now + 1, now + 2]


def test_a_commit_is_later_than_every_read_before_it(store: Store) -> None:
    read_at = store.read_time()
    assert store.commit_time() > read_at
    assert store.read_time() > read_at


def test_a_pinned_time_keeps_what_was_there(store: Store) -> None:
    put(store, "c/a", 1)
    put(store, "c/gone", 1)
    pinned = store.read_time()
    store.pin(pinned)
    put(store, "c/a", 2)
    put(store, "c/a", 3)
    put(store, "new/b", 1)
    store.set(f"{ROOT}/c/gone", None, store.commit_time())
    assert read(store, "c/a") == 3
    assert read(store, "c/a", pinned) == 1
    assert read(store, "new/b", pinned) is None
    assert {each.name[-4:] for each in store.documents(f"{ROOT}/c", pinned)} == {"/c/a", "gone"}
    assert store.collections() == [f"{ROOT}/c", f"{ROOT}/new"]
    assert store.collections(pinned) == [f"{ROOT}/c"]


def test_versions_are_forgotten_with_the_last_pin(store: Store) -> None:
    put(store, "c/a", 1)
    early, late = store.read_time(), store.read_time()
    store.pin(early)
    put(store, "c/a", 2)
    late = store.read_time()
    store.pin(late)
    put(store, "c/a", 3)
    store.unpin(early)
    assert read(store, "c/a", late) == 2
    with pytest.raises(RpcError, match="too old"):
        store.pin(early)
    store.unpin(late)
    with pytest.raises(RpcError, match="too old"):
        store.pin(late)
    store.pin(store.read_time())


def test_an_unkept_past_is_refused_and_the_present_is_not(store: Store) -> None:
    before = store.read_time()
    put(store, "c/a", 1)
    with pytest.raises(RpcError, match="too old"):
        store.pin(before)
    store.pin(store.read_time())


def test_an_emptied_collection_is_no_longer_listed(store: Store) -> None:
    put(store, "c/a", 1)
    store.set(f"{ROOT}/c/a", None, store.commit_time())
    store.set(f"{ROOT}/c/never", None, store.commit_time())
    assert store.collections() == []
