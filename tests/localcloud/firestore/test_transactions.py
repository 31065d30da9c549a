import pytest

from localcloud.core.clock import ManualClock
from localcloud.core.raw import timestamp
from localcloud.core.rpc import RpcError
from localcloud.firestore import transactions
from localcloud.firestore.messages import TransactionOptions
from localcloud.firestore.store import Store
from localcloud.firestore.transactions import Transactions
from tests.support.firestore_messages import ROOT, document

NAME = f"{ROOT}/c/d"
READ_ONLY = TransactionOptions(read_only={})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> Store:
    return Store(clock)


@pytest.fixture
def opened(store: Store, clock: ManualClock) -> Transactions:
    return Transactions(store, clock)


def put(store: Store, n: int) -> None:
    time = store.commit_time()
    written = document("c/d", {"n": n})
    written.update_time.CopyFrom(timestamp(time))
    store.set(NAME, written, time)


async def test_a_transaction_expires(opened: Transactions, clock: ManualClock) -> None:
    transaction = opened.begin(TransactionOptions())
    await clock.advance(transactions.LIFETIME_SECONDS - 1)
    assert opened.get(transaction.id) is transaction
    await clock.advance(1)
    with pytest.raises(RpcError, match="expired"):
        opened.get(transaction.id)


async def test_an_expired_transaction_lets_go_of_the_past(
    opened: Transactions, store: Store, clock: ManualClock
) -> None:
    put(store, 1)
    transaction = opened.begin(READ_ONLY)
    transaction.get(NAME)
    seen_at = transaction.read_time()
    put(store, 2)
    await clock.advance(transactions.LIFETIME_SECONDS)
    opened.begin(TransactionOptions())
    with pytest.raises(RpcError, match="too old"):
        store.pin(seen_at)


def test_open_transactions_are_bounded(
    opened: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "MAX_OPEN", 2)
    first = opened.begin(TransactionOptions())
    opened.begin(TransactionOptions())
    with pytest.raises(RpcError, match="Too many transactions"):
        opened.begin(TransactionOptions())
    opened.rollback(first.id)
    opened.begin(TransactionOptions())


def test_a_read_only_transaction_may_begin_in_a_kept_past(
    opened: Transactions, store: Store
) -> None:
    put(store, 1)
    holding = opened.begin(READ_ONLY)
    past = holding.read_time()
    put(store, 2)
    options = TransactionOptions(read_only={"read_time": timestamp(past)})
    document = opened.begin(options).get(NAME)
    assert document is not None
    assert document.fields["n"].integer_value == 1


def test_a_snapshot_is_the_same_for_every_read(opened: Transactions, store: Store) -> None:
    put(store, 1)
    transaction = opened.begin(TransactionOptions())
    first = transaction.get(NAME)
    put(store, 2)
    assert transaction.get(NAME) == first
    with pytest.raises(RpcError, match="contention"):
        opened.finish(transaction.id, writes=True)


def test_a_change_that_changes_nothing_aborts_nobody(opened: Transactions, store: Store) -> None:
    put(store, 1)
    transaction = opened.begin(TransactionOptions())
    current = transaction.get(NAME)
    store.set(NAME, current, store.commit_time())
    opened.finish(transaction.id, writes=True)


def test_rollback_is_idempotent(opened: Transactions) -> None:
    transaction = opened.begin(TransactionOptions())
    for _ in range(2):
        opened.rollback(transaction.id)
    with pytest.raises(RpcError):
        opened.finish(transaction.id, writes=False)
