"""Events that the ingress topic has stored and that the ledger does not have."""

from datetime import UTC, datetime

from hooks.bodies import body_type
from hooks.deployment import Deployment
from hooks.events import retained
from hooks.events.replay import batches
from hooks.leases import LeasedMessage
from hooks.ledger import Entry, Found, Wanted
from relay.dispatcher import event
from relay.errors import Poison
from relay.web.push import PushedMessage

STORED = "stored"
POISON = "poison"
"""The states of events that are in the ingress topic alone; the dispatcher claims no poison."""


async def search(
    deployment: Deployment, wanted: Wanted, subscription: str, *, limit: int, most: int
) -> Found:
    """Return up to `limit` retained events that `wanted` selects, newest first.

    Reads at most `most` messages, through a temporary `subscription`. The caller has seen that the
    ledger has none of them. Raises `UsageError` if the topic retains nothing, and `HooksError`.
    """
    now = datetime.now(UTC)
    start = retained.earliest(now, await retained.retention(deployment), wanted.since)
    found: dict[str, Entry] = {}
    scanned = 0
    ids = {wanted.id} if wanted.id else set()
    try:
        async with retained.reading(deployment, subscription, start, ids) as leases:
            async for messages in batches(leases, now, leases.patience):
                for entry in map(_entry, messages):
                    if wanted.takes(entry):
                        found[entry["id"]] = entry
                scanned += len(messages)
                await leases.acknowledge(messages)
                if scanned >= most:
                    break
    finally:
        await retained.delete(deployment, subscription)
    newest = sorted(found.values(), key=lambda entry: entry["received_at"], reverse=True)
    return Found(newest[:limit], scanned, cut_short=scanned >= most)


def _entry(message: LeasedMessage) -> Entry:
    """Return what the ledger will say of a message, as far as that is known."""
    given = message.attributes
    try:
        read = event.read(PushedMessage(message.data, given), source="")
    except Poison:
        kind, subject, state = body_type(message.data), "", POISON
    else:
        kind, subject, state = read.type, read.subject, STORED
    return {
        "id": given.get("webhook-id", ""),
        "type": kind,
        "subject": subject,
        "state": state,
        "received_at": retained.received(message),
        "scheme": given.get("scheme", ""),
        **({"replay": given["replay"]} if "replay" in given else {}),
    }
