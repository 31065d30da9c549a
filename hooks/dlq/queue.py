"""The dead letters of one subscription: selected, listed and purged."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from hooks.deadletter import DeadLetter, Selection, read
from hooks.leases import LeasedMessage, Leases


async def selected(leases: Leases, selection: Selection) -> AsyncIterator[DeadLetter]:
    """Iterate over the selected dead letters; all that are read stay leased."""
    wanted = set(selection.ids)
    async for message in leases.messages():
        letter = read(message)
        if selection.takes(letter):
            yield letter
        # Pub/Sub's own ids are unique: once all are found, the rest need not be read.
        wanted.discard(letter.id)
        if selection.ids and not wanted:
            return


async def listed(leases: Leases, selection: Selection, limit: int) -> tuple[list[DeadLetter], bool]:
    """Return up to `limit` dead letters, oldest first, and whether there are more."""
    found: list[DeadLetter] = []
    async for letter in selected(leases, selection):
        found.append(letter)
        if len(found) > limit:
            break
    shown = sorted(found[:limit], key=lambda letter: letter.died)
    return shown, len(found) > limit


@dataclass(frozen=True)
class Purged:
    """How many dead letters were deleted, and which of the selected ids have none."""

    count: int
    missing: Sequence[str]


async def purge(
    leases: Leases, selection: Selection, confirmed: Callable[[int], Awaitable[bool]]
) -> Purged:
    """Delete the selected dead letters if `confirmed` agrees to their number."""
    found: list[LeasedMessage] = []
    ids: set[str] = set()
    async for letter in selected(leases, selection):
        # Without payloads: there may be many.
        found.append(replace(letter.message, data=b""))
        ids |= {letter.id, letter.event_id}
    missing = sorted(selection.ids - ids)
    if not found or not await confirmed(len(found)):
        return Purged(0, missing)
    await leases.acknowledge(found)
    return Purged(len(found), missing)
