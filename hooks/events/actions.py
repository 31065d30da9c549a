"""What `hooks events` does: the ledger's entries shown, and retained events replayed."""

import contextlib
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from json import dumps
from pathlib import Path
from typing import Any

from hooks import connections, console, ledger
from hooks.bodies import presentable
from hooks.deployment import Deployment
from hooks.display import counted, document, moment, progress, table
from hooks.errors import HooksError, UsageError
from hooks.events import checkpoint, retained, undispatched
from hooks.events.archive import Archive
from hooks.events.checkpoint import Checkpoint
from hooks.events.replay import EventReplayer, Source, replay_id, replayed_at
from hooks.ledger import Entry, Found, Wanted
from hooks.pace import Pace
from localcloud.core.clock import SystemClock

_HOME = Path(".hooks")
_HEADS = ("received", "id", "type", "subject", "state", "attempt", "routes", "replay")
_IMPORTANCE = ("id", "state", "replay", "type", "received", "subject", "attempt", "routes")
_FIELDS = (
    *("id", "type", "subject", "state", "replay", "replayed_at", "received_at", "attempt"),
    *("routes_done", "absorbed_by", "scheme", "lease_until", "expire_at", "owner", "shard"),
    "document",
)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """The options of `hooks events replay`; times in UTC, `rate` in messages a second."""

    ids: Sequence[str]
    type: str
    since: datetime | None
    until: datetime | None
    routes: Sequence[str]
    archive: Path | None
    rate: float
    dry_run: bool
    checkpoint: Path | None
    resume: Path | None


async def show_list(
    deployment: Deployment, wanted: Wanted, *, limit: int, most: int, payload: bool, json: bool
) -> None:
    """Print up to `limit` entries of the ledger, newest first; read at most `most` documents."""
    found = await _search(deployment, wanted, limit=limit, most=most)
    shown = await _shown(deployment, found.entries, payload=payload)
    if json:
        console.print_json(
            {"events": shown, "scanned": found.scanned, "cut_short": found.cut_short}
        )
        return
    _print(shown)
    _explain_stored(deployment, shown)
    if found.cut_short:
        console.err.print(
            f"stopped after reading {most}; narrow the search with --since and --until, or raise"
            " --scan",
            style="yellow",
        )


async def show_one(deployment: Deployment, identifier: str, *, payload: bool, json: bool) -> None:
    """Print the ledger's entries of one event and of its replays.

    Raises `HooksError` if there are none.
    """
    found = await _search(deployment, Wanted(id=identifier), limit=100, most=1000)
    if not found.entries:
        raise HooksError(
            f"neither the ledger nor the ingress topic has {identifier}: it was not received, or"
            " is no longer retained"
        )
    shown = await _shown(deployment, found.entries, payload=payload)
    if json:
        console.print_json({"events": shown})
        return
    for entry in shown:
        console.out.print(console.pairs({name: _text(value) for name, value in entry.items()}))
        console.out.print()
    _explain_stored(deployment, shown)


async def _search(deployment: Deployment, wanted: Wanted, *, limit: int, most: int) -> Found:
    """Search the ledger; for an id or a subject that it does not have, also the ingress topic."""
    async with connections.ledger(deployment) as client:
        found = await ledger.search(client, wanted, limit=limit, most=most)
    if found.entries or wanted.state or not (wanted.id or wanted.subject):
        return found
    subscription = _subscription(deployment)
    try:
        return await undispatched.search(deployment, wanted, subscription, limit=limit, most=most)
    except UsageError as error:
        # The ledger alone can be searched where the topic retains nothing.
        console.err.print(str(error), style="yellow")
        return found


def _explain_stored(deployment: Deployment, shown: Sequence[Mapping[str, Any]]) -> None:
    states = {entry["state"] for entry in shown}
    letters = deployment.command("dlq", "list")
    if undispatched.STORED in states:
        console.err.print(
            f"stored in the ingress topic and not dispatched; `{deployment.command('doctor')}` says"
            f" why, and `{letters}` whether it is a dead letter",
            style="yellow",
        )
    if undispatched.POISON in states:
        console.err.print(
            "poison: no attempt can dispatch it, so that the dispatcher makes it a dead letter;"
            f" see `{letters}`",
            style="yellow",
        )


async def replay(deployment: Deployment, wanted: Replay, *, json: bool) -> bool:
    """Replay retained events; return whether all that have ids were found and Pub/Sub took all.

    Raises `HooksError` if it stops half way, and prints the command that resumes it.
    """
    path, todo = await _todo(deployment, wanted)
    kept = None if wanted.dry_run else path
    if kept:
        todo.save(kept)
    replayer = await _run(deployment, todo, wanted.rate, kept, json=json)
    if not todo.archive:
        await retained.delete(deployment, todo.subscription)
    if kept:
        kept.unlink(missing_ok=True)
    missing = sorted(set(wanted.ids) - replayer.ids)
    _show_replayed(todo, replayer.types, missing, dry_run=wanted.dry_run, json=json)
    return not todo.refused and not missing


async def _run(
    deployment: Deployment, todo: Checkpoint, rate: float, path: Path | None, *, json: bool
) -> EventReplayer:
    total = await _expected(deployment, todo)
    try:
        async with (
            _source(deployment, todo) as (source, patience),
            connections.publisher(deployment) as publisher,
        ):
            with progress("replaying", shown=not json, total=total) as advance:
                replayer = EventReplayer(
                    todo,
                    source,
                    publisher,
                    Pace(rate, SystemClock()),
                    path=path,
                    patience=patience,
                    on_progress=advance,
                )
                await replayer.run()
                return replayer
    except BaseException:
        await _interrupted(deployment, todo, path)
        raise


@contextlib.asynccontextmanager
async def _source(deployment: Deployment, todo: Checkpoint) -> AsyncIterator[tuple[Source, int]]:
    """Give the messages, and how many batches without an event to replay end the replay."""
    if todo.archive:
        # Files are not in the order of arrival; the last file ends the replay.
        yield Archive(Path(todo.archive), todo.files_done), sys.maxsize
        return
    start = datetime.fromisoformat(todo.start)
    async with retained.reading(deployment, todo.subscription, start, todo.ids) as held:
        yield held, held.patience


async def _interrupted(deployment: Deployment, todo: Checkpoint, path: Path | None) -> None:
    if path:
        console.err.print(
            f"stopped after {counted(todo.replayed, 'event')}; go on with"
            f" `{deployment.command('events', 'replay', '--resume', str(path))}` within a day",
            style="yellow",
        )
    elif not todo.archive:
        await retained.delete(deployment, todo.subscription)


async def _expected(deployment: Deployment, todo: Checkpoint) -> int | None:
    """Estimate how many messages will be read: one for each event in the ledger."""
    if todo.archive:
        return None
    if todo.ids:
        return len(todo.ids)
    async with connections.ledger(deployment) as client:
        since, until = datetime.fromisoformat(todo.start), datetime.fromisoformat(todo.until)
        return max(0, await ledger.count(client, since, until) - todo.scanned)


async def _todo(deployment: Deployment, wanted: Replay) -> tuple[Path, Checkpoint]:
    if wanted.resume:
        todo = checkpoint.load(wanted.resume)
        if todo.topic != deployment.ingress:
            raise UsageError(f"{wanted.resume} is about {todo.topic}, not {deployment.ingress}")
        return wanted.resume, todo
    now = datetime.now(UTC)
    start = now if wanted.archive else await _start(deployment, now, wanted.since)
    todo = Checkpoint(
        replay=replay_id(now),
        topic=deployment.ingress,
        subscription=_subscription(deployment),
        start=start.isoformat(),
        until=min(wanted.until or now, now).isoformat(),
        since=wanted.since.isoformat() if wanted.since else "",
        type=wanted.type,
        ids=sorted(set(wanted.ids)),
        routes=_routes(deployment, wanted.routes),
        archive=str(wanted.archive.absolute()) if wanted.archive else "",
    )
    return wanted.checkpoint or _HOME / f"replay-{todo.replay}.json", todo


async def _start(deployment: Deployment, now: datetime, since: datetime | None) -> datetime:
    kept = await retained.retention(deployment)
    if since and since < now - kept:
        console.err.print(
            f"{deployment.ingress} retains {kept}: what is older is not replayed from it; the"
            " archive, if there is one, has it (--archive)",
            style="yellow",
        )
    return retained.earliest(now, kept, since)


def _routes(deployment: Deployment, names: Sequence[str]) -> list[str]:
    known = sorted(deployment.topics.keys() - {"ingress", "dead-letter"})
    for name in names:
        # The routes of a deployment that is given by its name are unknown.
        if name not in known and (deployment.local or deployment.webhook_url):
            raise UsageError(f"--route takes one of {', '.join(known)}, not {name!r}")
    return list(dict.fromkeys(names))


def _subscription(deployment: Deployment) -> str:
    return f"projects/{deployment.project}/subscriptions/hooks-replay-{secrets.token_hex(6)}"


async def _shown(
    deployment: Deployment, entries: Sequence[Entry], *, payload: bool
) -> list[dict[str, Any]]:
    shown = [_described(entry) for entry in entries]
    if not payload or not entries:
        return shown
    now = datetime.now(UTC)
    kept = await retained.retention(deployment)
    since = min(entry["received_at"] for entry in entries)
    start = retained.earliest(now, kept, since)
    ids = {str(entry["id"]) for entry in entries}
    found = await retained.payloads(deployment, _subscription(deployment), start, ids)
    return [{**entry, "payload": _payload(found.get(str(entry["id"])))} for entry in shown]


def _payload(data: bytes | None) -> object:
    """Return a payload for JSON output; None if it is no longer retained."""
    return None if data is None else presentable(data)


def _described(entry: Entry) -> dict[str, Any]:
    """Return an entry's fields, in the same order for every entry; `replay` is None if it is none.

    A replay has the original's time of receipt; `replayed_at` is the time of the replay.
    """
    replay = entry.get("replay")
    complete = {**entry, "replay": replay, "replayed_at": replayed_at(str(replay))}
    known = [name for name in _FIELDS if name in complete]
    return {
        name: _plain(complete[name]) for name in (*known, *sorted(complete.keys() - set(known)))
    }


def _plain(value: object) -> object:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, dict):
        return dumps(value)
    return "-" if value in (None, "") else str(value)


def _print(shown: Sequence[Mapping[str, Any]]) -> None:
    if not shown:
        console.out.print("no events")
        return
    rows = [_row(entry, datetime.now(UTC)) for entry in shown]
    console.out.print(table(_HEADS, rows, importance=_IMPORTANCE, width=console.width()))
    for entry in shown:
        if "payload" in entry:
            console.out.print(entry["id"], markup=False)
            text = document(entry["payload"], console.width())
            console.out.print(text, style="dim", markup=False)


def _row(entry: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    attempt = entry.get("attempt") or 1
    return (
        _received(entry.get("received_at"), now),
        *(str(entry.get(name) or "") for name in ("id", "type", "subject", "state")),
        # Nearly every event is claimed once.
        str(attempt) if attempt != 1 else "",
        _fan_out(entry),
        entry["replay"] or "",
    )


def _fan_out(entry: Mapping[str, Any]) -> str:
    """Return the routes that have an event, or the key of the event that announced the same."""
    if entry.get("absorbed_by"):
        return f"absorbed by {entry['absorbed_by']}"
    return ",".join(entry.get("routes_done") or ())


def _received(time: object, now: datetime) -> str:
    return moment(datetime.fromisoformat(time), now) if isinstance(time, str) else ""


def _show_replayed(
    todo: Checkpoint, types: Mapping[str, int], missing: Sequence[str], *, dry_run: bool, json: bool
) -> None:
    if json:
        console.print_json(
            {
                "dry_run": dry_run,
                "replay": None if dry_run else todo.replay,
                "events": todo.replayed,
                "refused": todo.refused,
                "missing": missing,
                "scanned": todo.scanned,
                "types": dict(types),
                "routes": todo.routes,
            }
        )
        return
    told = "would be replayed" if dry_run else f"replayed as {todo.replay}"
    replayed, read = counted(todo.replayed, "event"), counted(todo.scanned, "message")
    console.out.print(f"{replayed} {told}, of {read} read")
    console.out.print(console.pairs({kind or "-": str(number) for kind, number in types.items()}))
    if missing:
        console.err.print(f"not retained, so not replayed: {', '.join(missing)}", style="red")
    if todo.refused:
        console.err.print(
            f"Pub/Sub refused {counted(todo.refused, 'message')} as invalid", style="red"
        )
