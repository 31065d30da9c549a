"""One subscription's messages: ready, leased, waiting for another try, or acknowledged.

Every operation on a message costs O(1), or O(log n) where it sets a timer; only seeking and
snapshots look at the whole backlog.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator

from localcloud.core.clock import Clock
from localcloud.core.rpc import RpcError
from localcloud.pubsub.delivery_policy import DeliveryPolicy
from localcloud.pubsub.lease import AckIds, Entry, Lease, State
from localcloud.pubsub.messages import Message
from localcloud.pubsub.timers import Timer, Timers
from localcloud.pubsub.waiters import Waiters

Exhausted = Callable[[Message, int], bool]
"""Takes a message and how often its delivery failed; returns whether it was forwarded."""


def _nothing(_lease: Lease) -> None:
    pass


class Backlog:
    """The unacknowledged messages of a subscription, and the leases on them.

    `exhausted` is called for a message whose delivery attempts are used up: where it returns
    False, the message stays and is delivered again. An expired lease is forgotten: an
    acknowledgement with its id changes nothing, and the message is delivered again. What was
    published before `discard_before`, in Unix seconds, counts as acknowledged.
    """

    def __init__(
        self, clock: Clock, timers: Timers, policy: DeliveryPolicy, exhausted: Exhausted
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._timers = timers
        self._exhausted = exhausted
        self._ids = AckIds()
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._ready: deque[Entry] = deque()
        self._leases: dict[str, Lease] = {}
        self._waiters = Waiters(timers, lambda: bool(self._ready))
        self._acknowledged = 0
        self._cleared = 0
        self._retention_timer: Timer | None = None
        self.discard_before = 0.0
        self._closed: RpcError | None = None

    @property
    def policy(self) -> DeliveryPolicy:
        """The delivery policy; all of it but the filter may change at any time."""
        return self._policy

    @policy.setter
    def policy(self, policy: DeliveryPolicy) -> None:
        self._policy = policy
        if not policy.retain_acked:
            for entry in list(self._entries.values()):
                if entry.state is State.ACKNOWLEDGED:
                    self._drop(entry)
        self._watch_retention(anew=True)

    @property
    def unacknowledged(self) -> int:
        """How many messages are not acknowledged, leased ones included."""
        return len(self._entries) - self._acknowledged

    @property
    def leased(self) -> int:
        """How many messages are leased."""
        return len(self._leases)

    @property
    def mark(self) -> object:
        """What differs after any change that `held` shows."""
        counts = len(self._entries), self._acknowledged, self._ids.given, len(self._leases)
        return *counts, self._cleared, self.discard_before

    def held(self) -> Iterator[tuple[Message, int, bool]]:
        """Return each message, how often its delivery failed, and whether it is acknowledged."""
        for entry in self._entries.values():
            yield entry.message, entry.failures, entry.state is State.ACKNOWLEDGED

    def continue_with(
        self, held: Iterable[tuple[Message, int, bool]], discard_before: float
    ) -> None:
        """Add what `held` returned to an empty backlog; what was leased is ready again."""
        self.discard_before = discard_before
        for message, failures, acknowledged in held:
            entry = Entry(message)
            entry.failures = failures
            self._entries[message.number] = entry
            if acknowledged:
                self._finish(entry)
            else:
                self._make_ready(entry)
        self._watch_retention()

    def unacknowledged_messages(self) -> Iterator[Message]:
        """Return the messages that are not acknowledged, leased ones included, oldest first."""
        return (
            entry.message
            for entry in self._entries.values()
            if entry.state is not State.ACKNOWLEDGED
        )

    def offer(self, message: Message) -> None:
        """Add a message that matches the filter; any other counts as acknowledged."""
        if self._policy.filter.matches(message.proto.attributes):
            entry = Entry(message)
            self._entries[message.number] = entry
            self._watch_retention()
            if message.published_at < self.discard_before:
                self._finish(entry)
            else:
                self._make_ready(entry)

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait up to that many seconds for a message; return whether there is one.

        Raises what the backlog was closed with.
        """
        if self._is_ready():
            return True
        await self._waiters.wait(seconds)
        return self._is_ready()

    def take(
        self,
        count: int,
        seconds: float | None = None,
        *,
        size: float = float("inf"),
        ended: Callable[[Lease], None] = _nothing,
    ) -> list[Lease]:
        """Lease up to `count` messages, stopping once they make up `size` bytes.

        The lease lasts that many seconds, by default the subscription's deadline.
        """
        leases: list[Lease] = []
        while len(leases) < count and size > 0 and self._is_ready():
            entry = self._ready.popleft()
            size -= entry.message.size
            leases.append(self._lease(entry, seconds or self._policy.ack_deadline, ended))
        return leases

    def acknowledge(self, ack_ids: Iterable[str]) -> None:
        """Acknowledge the messages of these leases; expired leases are ignored.

        Raises `RpcError` (`INVALID_ARGUMENT`) for what was never an id of this subscription's.
        """
        for ack_id in self._ids.checked(ack_ids):
            lease = self._end(ack_id)
            if lease is not None:
                self._finish(lease.entry)

    def modify(self, ack_ids: Iterable[str], seconds: int) -> None:
        """Set the deadline of these leases from now; 0 seconds returns the messages at once.

        Expired leases are ignored. Raises as `acknowledge` does.
        """
        for ack_id in self._ids.checked(ack_ids):
            lease = self._leases.get(ack_id)
            if lease is None:
                continue
            if seconds == 0:
                self._fail(ack_id)
            else:
                self._set_deadline(lease, seconds)

    def seek(self, when: float, retained: Iterable[Message]) -> None:
        """Acknowledge what was published before `when` (Unix seconds), and redeliver the rest.

        `retained` are the messages that the topic has kept, in the order of their publication.
        """
        known = {number: entry.message for number, entry in self._entries.items()}
        known |= {message.number: message for message in retained}
        self._clear()
        self.discard_before = when
        horizon = self._clock.time() - self._policy.retention
        for number in sorted(known):
            if known[number].published_at > horizon:
                self.offer(known[number])
        self._watch_retention(anew=True)

    def restore(self, messages: Iterable[Message]) -> None:
        """Make these the unacknowledged messages, and forget all others."""
        self._clear()
        self.discard_before = 0.0
        for message in messages:
            self.offer(message)

    def close(self, error: RpcError) -> None:
        """Drop every message; every waiting and later call raises `error`."""
        self._closed = error
        self._clear()
        self._waiters.fail(error)

    def _clear(self) -> None:
        self._cleared += 1
        for ack_id in list(self._leases):
            self._end(ack_id)
        for entry in self._entries.values():
            entry.become(State.GONE)
        self._entries.clear()
        self._ready.clear()
        self._acknowledged = 0
        self._watch_retention(anew=True)

    def _is_ready(self) -> bool:
        if self._closed is not None:
            raise RpcError(self._closed.code, self._closed.message)
        while self._ready and self._ready[0].state is not State.READY:
            self._ready.popleft()
        return bool(self._ready)

    def _make_ready(self, entry: Entry) -> None:
        entry.become(State.READY)
        self._ready.append(entry)
        self._waiters.wake()

    def _lease(self, entry: Entry, seconds: float, ended: Callable[[Lease], None]) -> Lease:
        ack_id = self._ids.next()
        lease = Lease(ack_id, entry, entry.failures + 1, ended)
        self._leases[ack_id] = lease
        entry.become(State.LEASED)
        entry.ack_id = ack_id
        self._set_deadline(lease, seconds)
        return lease

    def _set_deadline(self, lease: Lease, seconds: float) -> None:
        if lease.entry.timer is not None:
            lease.entry.timer.cancel()
        lease.entry.timer = self._timers.after(seconds, lambda: self._fail(lease.ack_id))

    def _end(self, ack_id: str) -> Lease | None:
        lease = self._leases.pop(ack_id, None)
        if lease is not None:
            lease.entry.ack_id = ""
            lease.ended(lease)
        return lease

    def _fail(self, ack_id: str) -> None:
        lease = self._end(ack_id)
        if lease is None:
            return
        entry = lease.entry
        entry.failures += 1
        if self._policy.exhausted(entry.failures) and self._exhausted(
            entry.message, entry.failures
        ):
            self._finish(entry)
            return
        delay = self._policy.backoff.seconds(entry.failures)
        if delay > 0:
            entry.become(State.WAITING)
            entry.timer = self._timers.after(delay, lambda: self._make_ready(entry))
        else:
            self._make_ready(entry)

    def _finish(self, entry: Entry) -> None:
        if self._policy.retain_acked:
            entry.become(State.ACKNOWLEDGED)
            self._acknowledged += 1
        else:
            self._drop(entry)

    def _drop(self, entry: Entry) -> None:
        if entry.state is State.ACKNOWLEDGED:
            self._acknowledged -= 1
        entry.become(State.GONE)
        del self._entries[entry.message.number]

    def _watch_retention(self, *, anew: bool = False) -> None:
        if anew and self._retention_timer is not None:
            self._retention_timer.cancel()
            self._retention_timer = None
        if self._retention_timer is None and self._entries:
            oldest = next(iter(self._entries.values())).message.published_at
            delay = oldest + self._policy.retention - self._clock.time()
            self._retention_timer = self._timers.after(delay, self._expire)

    def _expire(self) -> None:
        self._retention_timer = None
        horizon = self._clock.time() - self._policy.retention
        while self._entries:
            entry = next(iter(self._entries.values()))
            if entry.message.published_at > horizon:
                break
            self._end(entry.ack_id)
            self._drop(entry)
        self._watch_retention()
