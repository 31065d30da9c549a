from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hooks.deadletter import DeadLetter, read
from hooks.deployment import Deployment
from hooks.leases import LeasedMessage
from hooks.why.facts import Attempt, Facts, Holding, timeline
from hooks.why.verdict import Verdict, judge
from relay.gemini.webhooks import Webhook

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
THEN = NOW - timedelta(minutes=10)
HERE = Deployment(
    project="p",
    topics={"ingress": "projects/p/topics/i", "events": "projects/p/topics/e"},
    dead_letters="projects/p/subscriptions/dead",
    database="d",
    webhook_url="https://receive.example/",
    signing_secret="projects/p/secrets/s",
)
WEBHOOK = Webhook("wh_1", "n", "https://receive.example/", frozenset(), "enabled")
ENTRY = {
    "id": "evt_1",
    "type": "batch.succeeded",
    "state": "done",
    "received_at": THEN,
    "attempt": 1,
    "routes_done": ["events"],
}


def verdict(deployment: Deployment = HERE, **facts: Any) -> Verdict:
    return judge(Facts(wanted="batch_1", **{"webhook": WEBHOOK, **facts}), deployment, NOW)


def holding(**fields: Any) -> Holding:
    told = {"hop": "subscriber", "subscription": "projects/p/subscriptions/worker", **fields}
    return Holding(**{"endpoint": "", "waiting": 3, "more": False, "holds": True, **told})


def letter(**attributes: str) -> DeadLetter:
    return read(LeasedMessage("a", "m7", b"{}", {"webhook-id": "evt_1", **attributes}, THEN))


def refused(status: int | None, error: str | None = None) -> Attempt:
    return Attempt("evt_1", THEN, status, error)


@pytest.mark.parametrize(
    ("facts", "cause", "command"),
    [
        ({"entries": [ENTRY]}, "published to events", "events replay --id evt_1"),
        ({"entries": [ENTRY], "holdings": [holding()]}, "waits in worker", "why batch_1"),
        (
            {"entries": [ENTRY], "holdings": [holding(endpoint="https://w.example/")]},
            "https://w.example/ answers no 2xx",
            "listen --forward-to https://w.example/ --since 2026-11-26T02:50:00Z",
        ),
        (
            {
                "stored": [{**ENTRY, "state": "stored"}],
                "holdings": [holding(endpoint="https://w.example/")],
            },
            "https://w.example/ answers no 2xx",
            "listen --forward-to https://w.example/ --since 2026-11-26T02:50:00Z",
        ),
        ({"entries": [ENTRY], "holdings": [holding(holds=False)]}, "published", "events replay"),
        (
            {"entries": [{**ENTRY, "state": "claimed", "lease_until": NOW + timedelta(minutes=1)}]},
            "claimed it until 03:01:00 UTC",
            "why batch_1",
        ),
        (
            {"entries": [{**ENTRY, "state": "claimed", "lease_until": THEN}]},
            "has claimed it and not finished",
            "doctor",
        ),
        ({"stored": [{**ENTRY, "state": "stored"}]}, "the dispatcher does not run", "doctor"),
        ({"stored": [{**ENTRY, "state": "poison"}]}, "becomes a dead letter", "dlq list"),
        ({"letters": [letter(reason="not-json")]}, "(not-json)", "dlq show m7"),
        ({"letters": [letter(reason="unknown-route")]}, "apply the route", "dlq replay m7"),
        ({"letters": [letter(reason="expired")]}, "(expired): look at it, and replay", "dlq show"),
        ({"letters": [letter()]}, "failed at it too many times", "dlq replay m7"),
        ({"attempts": [refused(200)]}, "retains it no longer", "events list"),
        (
            {"attempts": [refused(401)]},
            "the newest signing secret is not stored",
            "webhook rotate --uri https://receive.example/ --signing-secret projects/p/secrets/s",
        ),
        ({"attempts": [refused(None, "ConnectError")]}, "ConnectError", "doctor"),
        ({"webhook": None}, "no webhook is registered", "doctor"),
        ({"webhook": None, "unknown": {"webhook": "no key"}}, "never delivered", "doctor"),
        (
            {"webhook": replace(WEBHOOK, state="disabled")},
            "somebody disabled it",
            "webhook update wh_1 --state enabled",
        ),
        ({"refusals": {"signature": 7}}, "refuses deliveries (signature)", "doctor"),
        ({}, "it was never delivered", "doctor"),
        ({"job": "in_progress"}, "the job is in_progress", "doctor"),
    ],
)
def test_the_last_hop_that_an_event_reached_decides(
    facts: dict[str, Any], cause: str, command: str
) -> None:
    found = verdict(**facts)
    assert cause in found.cause
    assert found.command.startswith(f"hooks {command}")
    assert found.heard == ("have acknowledged" in found.cause or "has acknowledged" in found.cause)


def test_where_nothing_tells_when_it_came_the_next_events_show_the_answer() -> None:
    found = verdict(holdings=[holding(endpoint="https://w.example/")])
    assert found.command == "hooks listen --forward-to https://w.example/"
    assert "When it came is not known" in found.cause


def test_a_managed_webhook_is_rotated_by_its_registrar() -> None:
    managed = replace(HERE, registrar_url="https://registrar.example", options=("--outputs", "o"))
    found = verdict(managed, attempts=[refused(401)])
    assert found.command.endswith("hooks webhook rotate --outputs o")


def test_the_timeline_is_in_order_and_says_what_each_hop_did() -> None:
    facts = Facts(
        wanted="batch_1",
        webhook=WEBHOOK,
        job="BATCH_STATE_SUCCEEDED",
        refusals={"signature": 2},
        attempts=[Attempt("evt_1", THEN - timedelta(seconds=1), 503, None)],
        entries=[
            {**ENTRY, "attempt": 3},
            {**ENTRY, "replay": "20261126T025500-ab12", "state": "claimed", "lease_until": NOW},
            {**ENTRY, "absorbed_by": "rec_1", "routes_done": []},
        ],
        letters=[letter(reason="no-type")],
        holdings=[
            holding(),
            holding(subscription="s/pusher", endpoint="https://w.test/", more=True, holds=False),
        ],
    )
    assert [f"{each.place}: {each.what}" for each in timeline(facts)] == [
        "gemini: says that the job is BATCH_STATE_SUCCEEDED",
        "gemini: has the webhook wh_1, which is enabled",
        "receiver: refused 2 deliveries of the last day, of any event: signature",
        "receiver: answered the delivery evt_1: 503",
        "ingress: stored evt_1, batch.succeeded",
        "dispatcher: done, taken over 2 times, published to events",
        "ingress: stored evt_1, batch.succeeded",
        "dispatcher: done, published to no route; absorbed by rec_1",
        "dead letters: dead letter m7: no-type",
        "ingress: stored replay 20261126T025500-ab12 of evt_1, batch.succeeded",
        "dispatcher: claimed until 03:00:00, published to events",
        "subscriber: worker is pulled; 3 unacknowledged, this event among them",
        "subscriber: pusher pushes to https://w.test/; 3 or more unacknowledged, not this event",
    ]
