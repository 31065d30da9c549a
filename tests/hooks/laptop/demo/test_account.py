"""The demo's account fails whenever what arrived is not what was sent."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from hooks.laptop.demo.account import Account, Expected, draw_up
from hooks.laptop.demo.audience import SUBSCRIBER, Audience
from hooks.subscription import Received
from localcloud.gemini.deliveries import Attempt, Delivery
from localcloud.gemini.outgoing import Message

WANTED: dict[str, Callable[[Delivery], bool]] = {
    "ingress": lambda _: True,
    "events": lambda _: True,
    "dead-letter": lambda _: False,
    SUBSCRIBER: lambda each: each.event_type == "batch.failed",
}


def delivery(identifier: str, status: int = 200, **more: object) -> Delivery:
    message = Message(identifier, f"body of {identifier}".encode(), None, 300, True)
    fields: dict[str, object] = {"event_type": "batch.succeeded", "scheme": "v1", **more}
    state = "delivered" if status == 200 else "failed"
    made = Delivery(1, uri="http://x", message=message, state=state, **fields)  # type: ignore[arg-type] # the fields are the tests' own
    made.attempts.append(Attempt(0.0, status))
    return made


def received(sent: Delivery, *, stored: bool = False, data: bytes | None = None) -> Received:
    identifier = sent.message.webhook_id
    attributes = {"ce-id": identifier, "ce-type": sent.event_type, "scheme": sent.scheme}
    if stored:
        attributes = {"webhook-id": identifier}
    return Received("1", data or sent.message.body, attributes, datetime.now(UTC))


ONE = delivery("one")
AGAIN = delivery("one")
TWO = delivery("two", event_type="batch.failed")
FORGED = delivery("forged", 401, forgery="wrong-key")
BARE = delivery("bare", 400, forgery="missing-header")
SENT = [ONE, AGAIN, TWO, FORGED, BARE]


def heard() -> dict[str, list[Received]]:
    return {
        "ingress": [received(each, stored=True) for each in (ONE, AGAIN, TWO)],
        "events": [received(ONE), received(TWO)],
        "dead-letter": [],
        SUBSCRIBER: [received(TWO)],
    }


def account(
    sent: list[Delivery], messages: dict[str, list[Received]], owed: int | None = 0
) -> Account:
    audience = Audience(messages)
    return draw_up(sent, audience, Expected.of(sent, WANTED), owed=owed)


def failing(drawn: Account) -> set[str]:
    return {check.name for check in drawn.checks if not check.holds}


def test_it_adds_up() -> None:
    drawn = account(SENT, heard())

    assert drawn.adds_up, failing(drawn)
    assert drawn.verdict == ("3 accepted, 1 duplicates dropped, 2 refused, 2 fanned out, 0 lost")
    facts = drawn.facts()
    assert facts["adds_up"]
    assert facts["events"] == 2
    assert facts["deliveries"] == 5
    assert [each["reason"] for each in facts["refusals"]] == ["wrong-key", "missing-header"]


@pytest.mark.parametrize("name", ["ingress", "events", SUBSCRIBER])
def test_a_lost_message_shows(name: str) -> None:
    messages = heard()
    messages[name].pop()

    drawn = account(SENT, messages)

    assert not drawn.adds_up
    assert drawn.lost == ["two"]
    assert "no event was lost" in failing(drawn)


@pytest.mark.parametrize("name", ["events", SUBSCRIBER])
def test_a_message_that_came_twice_shows(name: str) -> None:
    messages = heard()
    messages[name].append(received(TWO))

    drawn = account(SENT, messages)

    assert drawn.surplus == ["two"]
    assert failing(drawn) >= {"no event came twice, and no unknown one"}


def test_something_hostile_that_was_stored_shows() -> None:
    messages = heard()
    messages["ingress"].append(received(FORGED, stored=True))

    assert "nothing hostile was stored" in failing(account(SENT, messages))


def test_an_unexpected_dead_letter_shows() -> None:
    messages = heard()
    messages["dead-letter"].append(received(TWO, stored=True))

    assert "the topic dead-letter has its events" in failing(account(SENT, messages))


def test_an_altered_body_shows() -> None:
    messages = heard()
    messages["events"][0] = received(ONE, data=b"something else")

    assert failing(account(SENT, messages)) == {"bodies, types and schemes arrived unaltered"}


def test_a_forgery_that_was_accepted_shows() -> None:
    accepted = delivery("forged", 200, forgery="wrong-key")

    drawn = account([ONE, AGAIN, TWO, accepted, BARE], heard())

    assert failing(drawn) == {"every hostile delivery was refused"}


def test_a_forgery_refused_for_another_reason_shows() -> None:
    unavailable = delivery("forged", 503, forgery="wrong-key")

    drawn = account([ONE, AGAIN, TWO, unavailable, BARE], heard())

    assert failing(drawn) == {"every hostile delivery was refused"}


def test_a_genuine_delivery_that_was_refused_shows() -> None:
    refused = delivery("one", 401)

    drawn = account([ONE, refused, TWO, FORGED, BARE], heard())

    assert "every genuine delivery was accepted" in failing(drawn)


def test_an_acknowledgement_without_its_message_shows() -> None:
    messages = heard()
    messages["ingress"].pop(0)

    assert failing(account(SENT, messages)) >= {"every acknowledged delivery was stored"}


def test_what_is_still_under_way_shows() -> None:
    assert failing(account(SENT, heard(), owed=2)) == {"nothing is left to dispatch"}
    assert account(SENT, heard(), owed=None).adds_up
