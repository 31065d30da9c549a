"""What `hooks dlq` does: dead letters listed, shown, replayed and purged."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.cloud.firestore import AsyncClient
from google.pubsub_v1 import SubscriberAsyncClient

from hooks import connections, console
from hooks.bodies import presentable
from hooks.deadletter import MOST_REPLAYS, REPLAYS, DeadLetter, Selection, described
from hooks.deployment import Deployment
from hooks.display import age, progress, table
from hooks.dlq.queue import listed, purge, selected
from hooks.dlq.replay import Replayed, Replayer
from hooks.errors import HooksError, UsageError
from hooks.leases import Leases, lease_messages, patience
from hooks.ledger import entry_of
from hooks.pace import Pace
from localcloud.core.clock import SystemClock


@dataclass(frozen=True, kw_only=True)
class Replay:
    """The options of `hooks dlq replay`; `rate` is in messages a second, 0 for no bound."""

    limit: int
    rate: float
    force: bool
    dry_run: bool


@dataclass(frozen=True)
class Queue:
    """The dead letters of one subscription, leased, and the topic that they came from."""

    leases: Leases
    topic: str


@contextlib.asynccontextmanager
async def _queue(deployment: Deployment, subscriber: str) -> AsyncIterator[Queue]:
    async with connections.subscriber(deployment.pubsub) as client:
        subscription, topic = deployment.dead_letters, deployment.ingress
        if subscriber:
            subscription, topic = await _of_subscriber(client, deployment, subscriber)
        empty_answers = patience(deployment.pubsub)
        async with lease_messages(client, subscription, patience=empty_answers) as leases:
            yield Queue(leases, topic)


async def _of_subscriber(
    client: SubscriberAsyncClient, deployment: Deployment, subscriber: str
) -> tuple[str, str]:
    names = deployment.subscriber(subscriber)
    if not names["dead_letter_subscription"]:
        raise UsageError(f"the subscriber {subscriber} has no dead letters (dead_letter = null)")
    try:
        found = await client.get_subscription(subscription=names["subscription"])
    except GoogleAPICallError as error:
        raise HooksError(f"cannot look at {names['subscription']}: {error.message}") from error
    return names["dead_letter_subscription"], found.topic


async def show_list(
    deployment: Deployment, subscriber: str, selection: Selection, *, limit: int, json: bool
) -> None:
    """Print up to `limit` dead letters, oldest first."""
    async with _queue(deployment, subscriber) as queue:
        letters, more = await listed(queue.leases, selection, limit)
    now = datetime.now(UTC)
    if json:
        shown = [described(letter, now) for letter in letters]
        console.print_json({"dead_letters": shown, "more": more})
        return
    if not letters:
        console.out.print("no dead letters")
        return
    rows = [_row(letter, now) for letter in letters]
    console.out.print(table(_HEADS, rows, importance=_IMPORTANCE, width=console.width()))
    if more:
        console.err.print(f"there are more than {limit}; raise --limit to see them", style="dim")


_HEADS = ("id", "type", "reason", "attempts", "age", "replays")
_IMPORTANCE = ("id", "reason", "type", "age", "replays", "attempts")


def _row(letter: DeadLetter, now: datetime) -> tuple[str, ...]:
    return (
        # Of its event, if it has one: the other commands take either id.
        letter.event_id or letter.id,
        letter.type,
        letter.reason,
        "" if letter.attempts is None else str(letter.attempts),
        age(letter.age(now)),
        str(letter.replays or ""),
    )


async def show_one(
    deployment: Deployment, subscriber: str, identifier: str, *, payload: bool, json: bool
) -> None:
    """Print the dead letters of one message or event; raises `HooksError` if there is none."""
    selection = Selection(ids=frozenset({identifier}))
    async with _queue(deployment, subscriber) as queue:
        letters = [letter async for letter in selected(queue.leases, selection)]
    if not letters:
        raise HooksError(f"no dead letter is {identifier}; `hooks dlq list` shows which there are")
    async with connections.ledger(deployment) as ledger:
        shown = [await _details(letter, ledger, payload=payload) for letter in letters]
    if json:
        console.print_json({"dead_letters": shown})
        return
    for each in shown:
        console.out.print(console.pairs({name: _text(value) for name, value in each.items()}))
        console.out.print()


async def _details(letter: DeadLetter, ledger: AsyncClient, *, payload: bool) -> dict[str, Any]:
    details = described(letter, datetime.now(UTC)) | {"attributes": letter.message.attributes}
    details["ledger"] = await entry_of(ledger, letter.key) if letter.key else None
    if payload:
        details["payload"] = presentable(letter.message.data)
    return details


def _text(value: object) -> str:
    if isinstance(value, dict):
        return "".join(f"\n    {name}: {_text(entry)}" for name, entry in value.items())
    return "-" if value in (None, "") else str(value)


async def replay(
    deployment: Deployment, subscriber: str, selection: Selection, how: Replay, *, json: bool
) -> bool:
    """Publish dead letters to their topic again; return whether all selected ones went."""
    async with _queue(deployment, subscriber) as queue:
        if how.dry_run:
            letters, more = await listed(queue.leases, selection, how.limit)
            found = {each for letter in letters for each in (letter.id, letter.event_id)}
            missing = [] if more else sorted(selection.ids - found)
            _show_dry_run(letters, missing, queue.topic, more=more, json=json)
            return not missing
        async with connections.publisher(deployment) as publisher:
            with progress("replaying", shown=not json) as advance:
                replayer = Replayer(
                    queue.leases,
                    publisher,
                    queue.topic,
                    Pace(how.rate, SystemClock()),
                    force=how.force,
                    on_progress=advance,
                )
                result = await replayer.run(selection, limit=how.limit)
    _show_replayed(result, queue.topic, json=json)
    return result.complete


def _show_dry_run(
    letters: list[DeadLetter], missing: list[str], topic: str, *, more: bool, json: bool
) -> None:
    kept = [letter.id for letter in letters if letter.replays >= MOST_REPLAYS]
    if json:
        ids = [letter.id for letter in letters]
        console.print_json(
            {
                "dry_run": True,
                "would_replay": ids,
                "exhausted": kept,
                "missing": missing,
                "topic": topic,
                "more": more,
            }
        )
        return
    console.out.print(
        f"{len(letters)} would go to {topic}{' (and there are more)' if more else ''}"
    )
    if kept:
        console.out.print(f"{len(kept)} of them only with --force")
    _show_missing(missing)


def _show_missing(missing: Sequence[str]) -> None:
    if missing:
        console.err.print(f"no dead letter is {', '.join(missing)}", style="red")


def _show_replayed(result: Replayed, topic: str, *, json: bool) -> None:
    if json:
        console.print_json({"topic": topic, **vars(result)})
        return
    console.out.print(f"{len(result.done)} replayed to {topic}")
    if result.exhausted:
        console.err.print(
            f"{len(result.exhausted)} left: replayed {MOST_REPLAYS} times already (attribute"
            f" {REPLAYS}); find out why they come back (`hooks dlq show`), then use --force",
            style="yellow",
        )
    if result.returned:
        console.err.print(
            f"{len(result.returned)} left: they came back at once, so what failed still fails",
            style="yellow",
        )
    _show_missing(result.missing)
    for identifier, reason in result.failed.items():
        console.err.print(f"{identifier} left: Pub/Sub did not take it ({reason})", style="red")


async def purge_selected(
    deployment: Deployment, subscriber: str, selection: Selection, *, yes: bool, json: bool
) -> bool:
    """Delete dead letters once that is confirmed; return whether every id had one."""

    async def confirmed(count: int) -> bool:
        # In a thread, so that the leases are renewed until there is an answer.
        action = f"delete {count} dead letter(s) for ever"
        return await asyncio.to_thread(console.confirmed, action, yes=yes, json=json)

    async with _queue(deployment, subscriber) as queue:
        purged = await purge(queue.leases, selection, confirmed)
    if json:
        console.print_json({"purged": purged.count, "missing": purged.missing})
        return not purged.missing
    console.out.print(f"{purged.count} deleted" if purged.count else "nothing deleted")
    _show_missing(purged.missing)
    return not purged.missing
