"""Why nobody heard of an event: the likely cause, and the one command to run next. Pure."""

from dataclasses import dataclass
from datetime import datetime

from hooks.deadletter import EXHAUSTED, MALFORMED, DeadLetter
from hooks.deployment import Deployment
from hooks.events.undispatched import POISON
from hooks.ledger import Entry
from hooks.webhook.states import ENABLED, explain, webhook_command
from hooks.why.facts import Attempt, Facts, Holding
from relay.dispatcher.claims import CLAIMED, DONE
from relay.dispatcher.worker import UNKNOWN_ROUTE


@dataclass(frozen=True)
class Verdict:
    """The likely cause in a sentence, and a complete command; `heard` if nothing is amiss."""

    cause: str
    command: str
    heard: bool = False


def judge(facts: Facts, deployment: Deployment, now: datetime) -> Verdict:
    """Return the likely cause, from the last hop that the event reached."""
    if facts.letters:
        return _dead(facts.letters[-1], deployment)
    if holders := facts.holders("subscriber"):
        return _unacknowledged(holders[0], facts, deployment)
    if facts.entries:
        return _recorded(facts.entries[0], facts, deployment, now)
    if facts.stored:
        return _undispatched(facts.stored[0], deployment)
    return _undelivered(facts, deployment)


def _dead(letter: DeadLetter, deployment: Deployment) -> Verdict:
    if letter.reason == EXHAUSTED:
        cause = (
            f"the dispatcher failed at it {letter.attempts or 'too many'} times, and it became a"
            " dead letter; once what failed is mended, replay it"
        )
        return Verdict(cause, deployment.command("dlq", "replay", letter.id))
    if letter.reason == UNKNOWN_ROUTE:
        cause = (
            "it names a route that the dispatcher does not have: apply the route, then replay it"
        )
        return Verdict(cause, deployment.command("dlq", "replay", letter.id))
    if letter.reason in MALFORMED:
        cause = (
            f"no attempt can dispatch it ({letter.reason}), so it is a dead letter: look at it,"
            " then purge it"
        )
    else:
        cause = (
            f"it is a dead letter ({letter.reason}): look at it, and replay it once what failed is"
            " mended"
        )
    return Verdict(cause, deployment.command("dlq", "show", letter.id))


def _unacknowledged(holding: Holding, facts: Facts, deployment: Deployment) -> Verdict:
    if holding.endpoint:
        received = _received(facts)
        since = ("--since", f"{received:%Y-%m-%dT%H:%M:%SZ}") if received else ()
        advice = (
            "Send it there again, and see the answer"
            if received
            else "When it came is not known: send the next events there, and see the answers"
        )
        cause = (
            f"the subscriber behind {holding.name} does not acknowledge it: {holding.endpoint}"
            f" answers no 2xx, or not in time. {advice}"
        )
        listen = deployment.command("listen", "--forward-to", holding.endpoint, *since)
        return Verdict(cause, listen)
    cause = (
        f"it waits in {holding.name}, whose consumer has not acknowledged it: see whether that"
        " runs, and ask again"
    )
    return Verdict(cause, deployment.command("why", facts.wanted))


def _recorded(entry: Entry, facts: Facts, deployment: Deployment, now: datetime) -> Verdict:
    if entry.get("state") == DONE:
        routes = ", ".join(entry.get("routes_done") or ()) or "no route"
        cause = (
            f"it was published to {routes}, and every subscription that got it has acknowledged"
            " it. If a service lost it, replay it"
        )
        command = deployment.command("events", "replay", "--id", str(entry["id"]))
        return Verdict(cause, command, heard=True)
    until = entry.get("lease_until")
    if entry.get("state") == CLAIMED and isinstance(until, datetime) and until > now:
        cause = f"a worker has claimed it until {until:%H:%M:%S} UTC: ask again after that"
        return Verdict(cause, deployment.command("why", facts.wanted))
    cause = (
        "the dispatcher has claimed it and not finished, and Pub/Sub delivers it again: its log"
        " says what failed"
    )
    return Verdict(cause, deployment.command("doctor"))


def _undispatched(entry: Entry, deployment: Deployment) -> Verdict:
    if entry["state"] == POISON:
        cause = "no attempt can dispatch it: it becomes a dead letter once the dispatcher gets it"
        return Verdict(cause, deployment.command("dlq", "list"))
    cause = "it is stored, and the dispatcher has not taken it: the dispatcher does not run"
    return Verdict(cause, deployment.command("doctor"))


def _undelivered(facts: Facts, deployment: Deployment) -> Verdict:
    webhook = facts.webhook
    if any(attempt.accepted for attempt in facts.attempts):
        cause = "it was acknowledged, and the ingress topic retains it no longer"
        return Verdict(cause, deployment.command("events", "list"))
    if facts.attempts:
        return _refused(facts.attempts[-1], deployment)
    if webhook is None and "webhook" not in facts.unknown:
        cause = "no webhook is registered, so Gemini announces nothing"
        return Verdict(cause, deployment.command("doctor"))
    if webhook is not None and webhook.state != ENABLED:
        meaning, _ = explain(webhook.state, webhook.id, deployment)
        enable = deployment.command("webhook", "update", webhook.id, "--state", "enabled")
        return Verdict(f"its webhook is {webhook.state}: {meaning}", enable)
    if facts.refusals:
        reasons = ", ".join(sorted(facts.refusals))
        cause = (
            f"it was never stored, and the receiver refuses deliveries ({reasons}), perhaps this"
            " one: if they are signatures, the newest signing secret is not stored"
        )
        return Verdict(cause, deployment.command("doctor"))
    told = f"Gemini says that the job is {facts.job}; " if facts.job else ""
    cause = (
        f"{told}it was never delivered, and nothing refuses deliveries: the job has not ended, its"
        " end is not announced, or the id is of another project"
    )
    return Verdict(cause, deployment.command("doctor"))


def _refused(attempt: Attempt, deployment: Deployment) -> Verdict:
    if attempt.status == 401:
        cause = (
            "the receiver refused its signature or timestamp: most likely the newest signing"
            " secret is not stored. Make and store another"
        )
        return Verdict(cause, webhook_command(deployment, "rotate", deployment.webhook_url))
    cause = f"the receiver did not take it: {attempt.status or attempt.error}"
    return Verdict(cause, deployment.command("doctor"))


def _received(facts: Facts) -> datetime | None:
    # The ledger forgets an event before a subscription does; the ingress topic may retain it.
    times = (entry.get("received_at") for entry in (*facts.entries, *facts.stored))
    return min((time for time in times if isinstance(time, datetime)), default=None)
