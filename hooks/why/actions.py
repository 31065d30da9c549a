"""What `hooks why` does: gathers the facts of one event, and prints what they point at."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx2
from rich.text import Text

from hooks import connections, console, ledger
from hooks.bodies import body_subject
from hooks.deadletter import DeadLetter, read
from hooks.deployment import Deployment
from hooks.display import moment, progress, wrapped
from hooks.errors import HooksError
from hooks.events import undispatched
from hooks.google_apis import GoogleApis, default_token
from hooks.leases import lease_messages, patience
from hooks.ledger import Entry, Wanted
from hooks.webhook.source import webhook_source
from hooks.why.facts import Attempt, Facts, Step, timeline
from hooks.why.holdings import holdings
from hooks.why.job import job_state
from hooks.why.refusals import refusals
from hooks.why.verdict import Verdict, judge
from relay.gemini.webhooks import Webhook

_HTTP_SECONDS = 15.0
_INDENT = 28
_MOST_ENTRIES = 100
_MOST_READ = 10_000
_MOST_LETTERS = 1000
_LOOK_BACK = timedelta(days=1)

Found = TypeVar("Found")


async def explain(
    deployment: Deployment, wanted: str, environ: Mapping[str, str], *, json: bool
) -> bool:
    """Print the timeline of `wanted` and its verdict; return whether all heard of it.

    `environ` may hold what asks Gemini or the registrar. What cannot be read is named, and the rest
    is used.
    """
    with progress("looking", shown=not json):
        facts = await gather(deployment, wanted, environ)
    verdict = judge(facts, deployment, datetime.now(UTC))
    if json:
        console.print_json(_document(facts, verdict))
    else:
        _show(facts, verdict)
    return verdict.heard


async def gather(deployment: Deployment, wanted: str, environ: Mapping[str, str]) -> Facts:
    """Find out everything about `wanted`, a webhook id or the id of a job or file."""
    unknown: dict[str, str] = {}

    async def known(what: str, asked: Awaitable[Found], otherwise: Found) -> Found:
        try:
            return await asked
        except HooksError as error:
            unknown[what] = str(error)
            return otherwise

    nothing: list[Entry] = []
    # A proxy cannot reach this machine's stack.
    async with httpx2.AsyncClient(timeout=_HTTP_SECONDS, trust_env=not deployment.local) as http:
        entries, webhook, job, attempts, refused, letters = await asyncio.gather(
            known("ledger", _entries(deployment, wanted), nothing),
            known("webhook", _webhook(deployment, environ, http), None),
            known("job", job_state(deployment, wanted, environ, http), ""),
            known("deliveries", _attempts(deployment, wanted, http), []),
            known("refusals", _refusals(deployment, http), {}),
            known("dead letters", _letters(deployment), []),
        )
    stored = nothing if entries else await known("ingress", _stored(deployment, wanted), nothing)
    ids = frozenset(
        {wanted}
        | {str(entry["id"]) for entry in (*entries, *stored)}
        | {attempt.webhook_id for attempt in attempts}
    )
    routes = {route for entry in entries for route in entry.get("routes_done") or ()}
    held = await known("subscriptions", holdings(deployment, routes, ids), [])
    return Facts(
        wanted=wanted,
        webhook=webhook,
        job=job,
        attempts=attempts,
        refusals=refused,
        stored=stored,
        entries=entries,
        letters=[each for each in letters if _is_of(each, wanted, ids)],
        holdings=held,
        unknown=unknown,
    )


def _is_of(letter: DeadLetter, wanted: str, ids: frozenset[str]) -> bool:
    return letter.event_id in ids or body_subject(letter.message.data) == wanted


async def _entries(deployment: Deployment, wanted: str) -> list[Entry]:
    found: dict[str, Entry] = {}
    async with connections.ledger(deployment) as client:
        for selection in (Wanted(id=wanted), Wanted(subject=wanted)):
            searched = await ledger.search(
                client, selection, limit=_MOST_ENTRIES, most=_MOST_ENTRIES
            )
            found |= {str(entry["document"]): entry for entry in searched.entries}
    # The original first; each replay has the original's time of receipt.
    return sorted(found.values(), key=lambda entry: str(entry.get("replay") or ""))


async def _stored(deployment: Deployment, wanted: str) -> list[Entry]:
    for selection in (Wanted(id=wanted), Wanted(subject=wanted)):
        subscription = f"hooks-why-{secrets.token_hex(6)}"
        found = await undispatched.search(
            deployment,
            selection,
            f"projects/{deployment.project}/subscriptions/{subscription}",
            limit=_MOST_ENTRIES,
            most=_MOST_READ,
        )
        if found.entries:
            return found.entries
    return []


async def _webhook(
    deployment: Deployment, environ: Mapping[str, str], http: httpx2.AsyncClient
) -> Webhook | None:
    url = deployment.webhook_url
    async with webhook_source(deployment, url, environ, http, "why") as source:
        return await source.webhook()


async def _attempts(
    deployment: Deployment, wanted: str, http: httpx2.AsyncClient
) -> Sequence[Attempt]:
    """Return what the laptop's simulator sent; Gemini itself tells nobody."""
    if not deployment.local:
        return []
    try:
        answer = await http.get(f"{deployment.gemini_url}/control/deliveries")
        answer.raise_for_status()
        deliveries = answer.json()["deliveries"]
    except (httpx2.HTTPError, ValueError, KeyError) as error:
        raise HooksError(f"the simulator gave no answer ({type(error).__name__})") from None
    return [
        Attempt(
            webhook_id=delivery["webhook_id"],
            at=datetime.fromisoformat(attempt["at"]),
            status=attempt["status"],
            error=attempt["error"],
        )
        for delivery in deliveries
        if wanted in (delivery["webhook_id"], delivery["event_id"], delivery["subject"])
        for attempt in delivery["attempts"]
    ]


async def _refusals(deployment: Deployment, http: httpx2.AsyncClient) -> Mapping[str, int]:
    """Return the receiver's refusals of a deployment; the laptop's are among its deliveries."""
    if deployment.local or deployment.pubsub:
        return {}
    since = datetime.now(UTC) - _LOOK_BACK
    return await refusals(GoogleApis(http, default_token), deployment.project, since)


async def _letters(deployment: Deployment) -> list[DeadLetter]:
    async with _leased(deployment) as leases:
        return [read(message) async for message in leases.messages(most=_MOST_LETTERS)]


@contextlib.asynccontextmanager
async def _leased(deployment: Deployment) -> AsyncIterator[Any]:
    async with (
        connections.subscriber(deployment.pubsub) as client,
        lease_messages(
            client, deployment.dead_letters, patience=patience(deployment.pubsub)
        ) as leases,
    ):
        yield leases


def _show(facts: Facts, verdict: Verdict) -> None:
    now = datetime.now(UTC)
    for step in timeline(facts):
        console.out.print(_line(step, now))
    for what, reason in facts.unknown.items():
        text = wrapped(f"{what} unknown: {reason}", " " * _INDENT, console.width())
        console.out.print(Text(f"{'':<{_INDENT}}{text}", "yellow"))
    mark, style = ("✔", "green") if verdict.heard else ("✘", "red")
    cause = wrapped(verdict.cause, "  ", console.width())
    console.out.print(Text.assemble((f"{mark} ", style), (cause, "bold")))
    console.out.print(Text(f"  → {verdict.command}", "yellow"))


def _line(step: Step, now: datetime) -> Text:
    at = moment(step.at, now) if step.at else ""
    what = wrapped(step.what, " " * _INDENT, console.width())
    return Text.assemble(f"{at:<15}", (f"{step.place:<13}", console.source_style(step.place)), what)


def _document(facts: Facts, verdict: Verdict) -> dict[str, Any]:
    return {
        "wanted": facts.wanted,
        "timeline": [asdict(step) for step in timeline(facts)],
        "unknown": dict(facts.unknown),
        **asdict(verdict),
    }
