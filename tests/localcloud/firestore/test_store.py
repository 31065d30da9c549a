import itertools

import pytest

from localcloud.core.clock import ManualClock
from localcloud.firestore.store import Store
from tests.support.firestore_messages import ROOT, document


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> Store:
    return Store(clock)


def test_commit_times_grow_while_the_clock_stands(store: Store, clock: ManualClock) -> None:
    now = int(clock.time() * 1_000_000)
    assert [store.commit_time() for _ in range(3)] == [now, now + 1, now + 2]


def test_a_commit_is_later_than_every_read_before_it(store: Store) -> None:
    read_at = store.read_time()
    assert store.commit_time() > read_at
    assert store.read_time() > read_at


def test_every_change_of_the_documents_changes_the_mark(store: Store) -> None:
    marks = [store.mark]
    store.commit_time()
    marks.append(store.mark)
    store.set(f"{ROOT}/c/a", document("c/a"))
    marks.append(store.mark)
    store.set(f"{ROOT}/c/a", None)
    marks.append(store.mark)
    assert all(before != after for before, after in itertools.pairwise(marks))


def test_an_emptied_collection_is_no_longer_listed(store: Store) -> None:
    store.set(f"{ROOT}/c/a", document("c/a"))
    assert store.collections() == [f"{ROOT}/c"]
    for name in ("a", "never"):
        store.set(f"{ROOT}/c/{name}", None)
    assert store.collections() == []
