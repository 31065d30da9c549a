import json

import pytest

from hooks.deadletter import MOST_REPLAYS
from hooks.errors import HooksError, UsageError
from localcloud.core.rpc import Call
from tests.hooks.conftest import BLUE, NAMES, Relay, ids

BAD = b"no json"


async def bury(relay: Relay, count: int = 1, **attributes: str) -> None:
    """Receive events that cannot be understood, and wait until they are dead letters."""
    before = relay.dead
    for number in range(count):
        await relay.receive_body(BAD, number, **attributes)
    await relay.dispatched()
    assert relay.dead == before + count


async def test_a_dead_letter_is_listed_with_its_reason_and_its_age(relay: Relay) -> None:
    await bury(relay)
    [letter] = (await relay.hooks("dlq", "list"))["dead_letters"]
    assert letter["event_id"] == "evt_0"
    assert letter["reason"] == "not-json"
    assert letter["attempts"] is None
    assert letter["age_seconds"] >= 0
    assert letter["replays"] == 0


async def test_listing_and_showing_consume_no_dead_letter(relay: Relay) -> None:
    await bury(relay, 3)
    listed = [await relay.hooks("dlq", "list") for _ in range(3)]
    await relay.hooks("dlq", "show", "evt_1")
    await relay.hooks("dlq", "replay", "--all", "--dry-run")
    assert [sorted(ids(each, "dead_letters")) for each in listed] == [
        sorted(ids(listed[0], "dead_letters"))
    ] * 3
    assert len(ids(listed[0], "dead_letters")) == 3
    assert relay.dead == 3
    assert relay.pubsub.leased(NAMES.dead_letters) == 0


async def test_a_list_has_a_limit_and_says_when_there_is_more(relay: Relay) -> None:
    await bury(relay, 3)
    cut = await relay.hooks("dlq", "list", "--limit", "2")
    assert len(cut["dead_letters"]) == 2
    assert cut["more"]
    assert not (await relay.hooks("dlq", "list", "--limit", "3"))["more"]
    told = await relay.invoke("dlq", "list", "--limit", "2")
    assert "more than 2" in told.stderr


async def test_a_list_for_people_shows_whole_ids(relay: Relay) -> None:
    assert "no dead letters" in (await relay.invoke("dlq", "list")).stdout
    await bury(relay)
    told = (await relay.invoke("dlq", "list")).stdout
    assert "evt_0" in told
    assert "not-json" in told


async def test_payloads_are_shown_only_when_asked_for(relay: Relay) -> None:
    await bury(relay)
    [bare] = (await relay.hooks("dlq", "show", "evt_0"))["dead_letters"]
    [full] = (await relay.hooks("dlq", "show", bare["id"], "--payload"))["dead_letters"]
    assert "payload" not in bare
    assert bare["attributes"]["reason"] == "not-json"
    assert full["payload"] == {"base64": "bm8ganNvbg=="}
    told = (await relay.invoke("dlq", "show", "evt_0", "--payload")).stdout
    assert "bm8ganNvbg==" in told


async def test_showing_an_unknown_dead_letter_is_an_error(relay: Relay) -> None:
    result = await relay.invoke("dlq", "show", "evt_9")
    assert isinstance(result.exception, HooksError)
    assert "hooks dlq list" in str(result.exception)


async def test_a_selection_takes_what_satisfies_all_of_it(relay: Relay) -> None:
    await bury(relay, 2)
    await relay.publish(NAMES.dead_letter, b'{"type": "batch.failed"}', webhook_id="evt_7")

    async def listed(*options: str) -> list[str]:
        found = await relay.hooks("dlq", "list", *options)
        return sorted(each["event_id"] for each in found["dead_letters"])

    assert await listed("--type", "batch.*") == ["evt_7"]
    assert await listed("--reason", "not-json") == ["evt_0", "evt_1"]
    assert await listed("--reason", "attempts-exhausted") == ["evt_7"]
    assert await listed("--reason", "not-json", "--type", "batch.*") == []


async def test_a_replayed_dead_letter_reaches_the_missing_route_once(relay: Relay) -> None:
    refusing(relay, NAMES.events)
    await relay.receive(1)
    # The blue route has it; the events topic does not, when the attempts are used up.
    await relay.until(lambda: relay.fanned_out(BLUE)["evt_1"] == 1)
    await give_up(relay)
    [letter] = (await relay.hooks("dlq", "show", "evt_1"))["dead_letters"]
    assert letter["ledger"]["routes_done"] == ["blue"]
    assert letter["ledger"]["state"] == "claimed"
    relay.refuse = lambda _call: False

    done = await relay.hooks("dlq", "replay", "evt_1")

    assert done["done"] == [letter["id"]]
    assert done["topic"] == NAMES.ingress
    await relay.dispatched()
    assert relay.fanned_out(BLUE) == relay.fanned_out(NAMES.events) == {"evt_1": 1}
    assert relay.dead == 0
    [*_, (attributes, _)] = relay.messages(NAMES.ingress)
    assert attributes["dead-letter-replays"] == "1"
    assert not [name for name in attributes if name.startswith("CloudPubSub")]


async def test_a_replay_of_a_fanned_out_event_is_dropped(relay: Relay) -> None:
    await relay.receive(1)
    await relay.dispatched()
    [(attributes, data)] = relay.messages(NAMES.ingress)
    await relay.publish(NAMES.dead_letter, data, **attributes)

    await relay.hooks("dlq", "replay", "--all")

    await relay.dispatched()
    assert relay.fanned_out(NAMES.events) == {"evt_1": 1}
    assert relay.dead == 0


async def test_a_dead_letter_is_replayed_three_times_at_most_without_force(relay: Relay) -> None:
    await bury(relay)
    for turn in range(1, MOST_REPLAYS + 1):
        assert len((await relay.hooks("dlq", "replay", "--all"))["done"]) == 1
        await relay.until(lambda: relay.dead == 1)
        [letter] = (await relay.hooks("dlq", "list"))["dead_letters"]
        assert letter["replays"] == turn

    kept = await relay.hooks("dlq", "replay", "--all", status=1)
    assert kept["done"] == []
    assert kept["exhausted"] == [letter["id"]]
    told = await relay.invoke("dlq", "replay", "--all")
    assert "--force" in told.stderr
    dry = await relay.hooks("dlq", "replay", "--all", "--dry-run")
    assert dry["exhausted"] == dry["would_replay"] == [letter["id"]]

    forced = await relay.hooks("dlq", "replay", "--all", "--force")
    assert forced["done"] == [letter["id"]]


async def test_an_unconfirmed_replay_leaves_the_dead_letter(relay: Relay) -> None:
    await bury(relay, 2)
    refusing(relay, NAMES.ingress)

    result = await relay.hooks("dlq", "replay", "--all", status=1)

    assert result["done"] == []
    assert len(result["failed"]) == 2
    assert relay.dead == 2
    assert relay.pubsub.leased(NAMES.dead_letters) == 0
    told = await relay.invoke("dlq", "replay", "--all")
    assert told.exit_code == 1
    assert "did not take it" in told.stderr


async def test_a_replay_has_a_limit_and_a_rate(relay: Relay) -> None:
    await bury(relay, 4)
    relay.down = True
    done = await relay.hooks("dlq", "replay", "--all", "--limit", "3", "--rate", "1000")
    assert len(done["done"]) == 3
    assert relay.dead == 1


async def test_a_purge_must_be_confirmed(relay: Relay) -> None:
    await bury(relay, 3)
    refused = await relay.invoke("dlq", "purge", "--all")
    assert isinstance(refused.exception, UsageError)
    assert "--yes" in str(refused.exception)
    assert relay.dead == 3

    [letter] = (await relay.hooks("dlq", "show", "evt_1"))["dead_letters"]
    assert await relay.hooks("dlq", "purge", letter["id"], "--yes") == {
        "purged": 1,
        "missing": [],
    }
    assert relay.dead == 2
    assert "2 deleted" in (await relay.invoke("dlq", "purge", "--all", "--yes")).stdout
    assert "nothing" in (await relay.invoke("dlq", "purge", "--all", "--yes")).stdout
    assert relay.dead == 0


async def test_replaying_an_unknown_id_fails(relay: Relay) -> None:
    await bury(relay)
    dry = await relay.hooks("dlq", "replay", "evt_0", "evt_9", "--dry-run", status=1)
    assert (len(dry["would_replay"]), dry["missing"]) == (1, ["evt_9"])
    relay.down = True
    done = await relay.hooks("dlq", "replay", "evt_0", "evt_9", status=1)
    assert (len(done["done"]), done["missing"]) == (1, ["evt_9"])
    assert "evt_9" in (await relay.invoke("dlq", "replay", "evt_9")).stderr


async def test_purging_an_unknown_id_fails(relay: Relay) -> None:
    await bury(relay)
    told = await relay.invoke("dlq", "purge", "evt_9", "--yes")
    assert (told.exit_code, told.stdout) == (1, "nothing deleted\n")
    assert "evt_9" in told.stderr
    purged = await relay.hooks("dlq", "purge", "evt_0", "evt_9", "--yes", status=1)
    assert purged == {"purged": 1, "missing": ["evt_9"]}


@pytest.mark.parametrize("command", ["replay", "purge"])
async def test_a_selection_is_required(relay: Relay, command: str) -> None:
    result = await relay.invoke("dlq", command)
    assert isinstance(result.exception, UsageError)
    assert "--all" in str(result.exception)


async def test_a_subscribers_dead_letters_go_back_to_its_topic(relay: Relay) -> None:
    outputs = json.loads(relay.outputs.read_text())
    outputs["subscriptions"]["value"] = {
        "billing": {
            "subscription": NAMES.subscription("billing"),
            # The short name, as Terraform's output has it.
            "dead_letter_subscription": "gemini-webhooks-billing-dead-letter",
        },
        "bare": {"subscription": NAMES.subscription("bare"), "dead_letter_subscription": None},
    }
    relay.outputs.write_text(json.dumps(outputs))
    await relay.subscribe("billing", NAMES.events)
    await relay.create_topic("billing-dead-letter")
    await relay.subscribe("billing-dead-letter", NAMES.topic("billing-dead-letter"))
    await relay.publish(NAMES.topic("billing-dead-letter"), b"{}", ce_id="evt_5", ce_type="a.b")

    listed = await relay.hooks("dlq", "list", "--subscriber", "billing")
    assert [each["type"] for each in listed["dead_letters"]] == ["a.b"]
    done = await relay.hooks("dlq", "replay", "--all", "--subscriber", "billing")

    assert done["topic"] == NAMES.events
    assert relay.fanned_out(NAMES.events) == {"evt_5": 1}
    unknown = await relay.invoke("dlq", "list", "--subscriber", "x")
    assert isinstance(unknown.exception, UsageError)
    assert "billing" in str(unknown.exception)
    none = await relay.invoke("dlq", "list", "--subscriber", "bare")
    assert isinstance(none.exception, UsageError)
    assert "no dead letters" in str(none.exception)


async def test_a_subscription_that_is_not_there_is_an_error_that_names_it(relay: Relay) -> None:
    result = await relay.invoke("dlq", "list", "--project", "other", outputs="")
    assert isinstance(result.exception, HooksError)
    assert "projects/other/subscriptions/gemini-webhooks-dead-letter" in str(result.exception)


def refusing(relay: Relay, topic: str) -> None:
    def refuse(call: Call) -> bool:
        return call.method.endswith("/Publish") and getattr(call.request, "topic", "") == topic

    relay.refuse = refuse


async def give_up(relay: Relay) -> None:
    """Have Pub/Sub use up the attempts of what the dispatcher does not take."""
    await relay.attempts(5)
    await relay.until(lambda: relay.dead == 1)
