"""One subscriber alone gets what it missed."""

import json
import re
from datetime import timedelta
from typing import Any

import jwt
import pytest
from google.pubsub_v1 import types

from hooks.errors import HooksError, UsageError
from localcloud.core.rpc import Call
from tests.hooks.conftest import BLUE, NAMES, PROJECT, Relay

BILLING, OTHER = NAMES.subscription("billing"), NAMES.subscription("other")
SINCE = ("--since", "-1h")


async def recover(relay: Relay, *arguments: str) -> dict[str, Any]:
    found = await relay.hooks("recover", "billing", *SINCE, *arguments)
    assert found.pop("since")
    return dict(found)


async def subscribe(relay: Relay, topic: str = NAMES.events, **fields: Any) -> None:
    """Make the subscribers `billing`, which Terraform's output names, and `other`."""
    outputs = json.loads(relay.outputs.read_text())
    names = {"subscription": BILLING, "dead_letter_subscription": None}
    outputs["subscriptions"]["value"] = {"billing": names}
    relay.outputs.write_text(json.dumps(outputs))
    await relay.subscribe("billing", topic, **fields)
    await relay.subscribe("other", topic)


async def pull(relay: Relay, subscription: str) -> list[dict[str, str]]:
    """Acknowledge what a subscription has, and return the attributes."""
    request = types.PullRequest(
        subscription=subscription, max_messages=100, return_immediately=True
    )
    received = (await relay.call("Pull", request)).received_messages
    if received:
        ids = [each.ack_id for each in received]
        acknowledged = types.AcknowledgeRequest(subscription=subscription, ack_ids=ids)
        await relay.call("Acknowledge", acknowledged)
    return [dict(each.message.attributes) for each in received]


async def receive(relay: Relay, kinds: list[str]) -> list[str]:
    events = [await relay.receive(number, kind) for number, kind in enumerate(kinds)]
    await relay.receive_body(b"poison", 99)
    await relay.dispatched()
    return events


async def topics(relay: Relay) -> list[str]:
    listed = await relay.call("ListTopics", types.ListTopicsRequest(project=f"projects/{PROJECT}"))
    return [each.name for each in listed.topics]


async def left(relay: Relay) -> list[str]:
    found = [*await relay.subscriptions(), *await topics(relay)]
    return [name for name in found if "/hooks-" in name]


async def test_a_pull_subscriber_gets_a_subscription_with_what_it_missed(relay: Relay) -> None:
    await subscribe(relay, filter='hasPrefix(attributes.ce-type, "batch.")')
    events = await receive(relay, ["batch.failed", "video.generated", "batch.expired"])
    originals = {each["ce-id"]: each for each in await pull(relay, BILLING)}
    backlog, published = relay.pubsub.backlog(OTHER), relay.pubsub.published_count(NAMES.events)

    counted = await recover(relay, "--dry-run")
    assert (counted["how"], counted["events"], counted["through"]) == ("ingress", 2, "")
    assert await left(relay) == []

    done = await recover(relay)
    assert (done["how"], done["events"]) == ("ingress", 2)
    assert await left(relay) == [done["through"]]
    found = await pull(relay, done["through"])
    assert [each["ce-id"] for each in found] == [events[0], events[2]]
    for each in found:
        assert each.pop("replay") == done["replay"]
        assert each == originals[each["ce-id"]]
    assert relay.pubsub.backlog(OTHER) == backlog
    assert relay.pubsub.backlog(BILLING) == 0
    assert relay.pubsub.published_count(NAMES.events) == published


async def test_a_push_subscriber_gets_pushes_as_before(relay: Relay) -> None:
    token = types.PushConfig.OidcToken(service_account_email="a@b.example", audience="x")
    push = types.PushConfig(push_endpoint="http://billing/", oidc_token=token)
    await subscribe(relay, push_config=push)
    [event] = await receive(relay, ["batch.failed"])
    await relay.until(lambda: len(relay.pushed) == 1)

    result = await relay.invoke("recover", "billing", *SINCE, columns=80)
    assert result.exit_code == 0, result.output
    await relay.until(lambda: len(relay.pushed) == 2)
    first, again = (json.loads(each.body)["message"]["attributes"] for each in relay.pushed)
    assert again == {**first, "replay": again["replay"]}
    assert first["ce-id"] == event
    # The tokens of two seconds differ in their times.
    tokens = [each.headers["authorization"].removeprefix("Bearer ") for each in relay.pushed]
    claims = [jwt.decode(each, options={"verify_signature": False}) for each in tokens]
    assert [(each["aud"], each["email"]) for each in claims] == [("x", "a@b.example")] * 2
    assert again["replay"] in result.stdout
    assert "http://billing/" in result.stdout
    assert not [line for line in result.stdout.splitlines() if len(line) > 80 and " " in line]


@pytest.mark.parametrize("by", ["topic", "subscription"])
async def test_where_its_messages_are_retained_its_subscription_is_sought(
    relay: Relay, by: str
) -> None:
    await subscribe(relay, retain_acked_messages=by == "subscription")
    if by == "topic":
        topic = types.Topic(name=NAMES.events, message_retention_duration=timedelta(hours=2))
        mask = {"paths": ["message_retention_duration"]}
        await relay.call("UpdateTopic", types.UpdateTopicRequest(topic=topic, update_mask=mask))
    events = await receive(relay, ["batch.failed"])
    await pull(relay, BILLING)
    backlog = relay.pubsub.backlog(OTHER)

    unconfirmed = await relay.invoke("recover", "billing", *SINCE)
    assert isinstance(unconfirmed.exception, UsageError)
    assert "--yes" in str(unconfirmed.exception)
    assert (await recover(relay, "--dry-run"))["how"] == "seek"
    assert relay.pubsub.backlog(BILLING) == 0

    done = await recover(relay, "--yes")
    assert (done["how"], done["events"], done["through"]) == ("seek", None, "")
    assert [each["ce-id"] for each in await pull(relay, BILLING)] == events
    assert relay.pubsub.backlog(OTHER) == backlog


async def test_a_time_to_come_is_refused_for_the_seek_would_drop_everything(relay: Relay) -> None:
    await subscribe(relay, retain_acked_messages=True)
    await receive(relay, ["batch.failed"])
    result = await relay.invoke("recover", "billing", "--since", "+2h", "--yes")
    assert isinstance(result.exception, UsageError)
    assert "in the future" in str(result.exception)
    assert relay.pubsub.backlog(BILLING) == 1


async def test_a_dry_run_of_a_seek_tells_what_it_drops(relay: Relay) -> None:
    await subscribe(relay, retain_acked_messages=True)
    result = await relay.invoke("recover", "billing", *SINCE, "--dry-run")
    assert "would deliver everything since" in result.stdout
    assert "would drop what it had not acknowledged from before" in result.stdout


async def test_a_subscriber_of_a_route_gets_what_took_that_route(relay: Relay) -> None:
    await subscribe(relay, BLUE)
    events = await receive(relay, ["batch.failed", "video.generated"])
    done = await recover(relay)
    assert [each["ce-id"] for each in await pull(relay, done["through"])] == events[:1]


async def test_a_repeated_event_and_a_replay_of_it_are_sent_once(relay: Relay) -> None:
    await subscribe(relay)
    for more in ({}, {}, {"replay": "r"}):
        await relay.receive(1, **more)
    await relay.dispatched()
    assert (await recover(relay))["events"] == 1


async def test_if_there_is_nothing_to_send_nothing_is_made(relay: Relay) -> None:
    await subscribe(relay)
    done = await recover(relay)
    assert (done["events"], done["through"], done["replay"]) == (0, "", "")
    assert await left(relay) == []


async def test_after_a_refusal_nothing_is_left(relay: Relay) -> None:
    await subscribe(relay)
    await receive(relay, ["batch.failed"])

    def refuse(call: Call) -> bool:
        return call.method.endswith("/Publish") and "/hooks-recover" in call.request.topic  # type: ignore[union-attr]

    relay.refuse = refuse
    result = await relay.invoke("recover", "billing", *SINCE)
    assert isinstance(result.exception, HooksError)
    assert "did not take" in str(result.exception)
    assert await left(relay) == []


async def test_a_subscription_by_its_full_name(relay: Relay) -> None:
    await subscribe(relay)
    await receive(relay, ["batch.failed"])
    assert (await relay.hooks("recover", OTHER, *SINCE))["subscription"] == OTHER


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("billing",), "--since"),
        (("nobody", *SINCE), "no subscriber is called 'nobody'; known are billing"),
        ((NAMES.subscription("gone"), *SINCE), "refused at .*gone"),
        ((NAMES.dead_letters, *SINCE), "no topic of events"),
    ],
)
async def test_what_cannot_be_recovered_is_said(
    relay: Relay, arguments: tuple[str, ...], said: str
) -> None:
    await subscribe(relay)
    result = await relay.invoke("recover", *arguments)
    assert isinstance(result.exception, HooksError)
    assert re.search(said, str(result.exception))
