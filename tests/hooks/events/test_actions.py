import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hooks import connections, console, ledger
from hooks.errors import HooksError, UsageError
from hooks.ledger import Wanted
from localcloud.core.rpc import Call
from tests.hooks.conftest import BLUE, NAMES, Relay, firestore, ids


async def received(relay: Relay, count: int, kind: str = "batch.succeeded") -> list[str]:
    """Receive events, and wait until they are fanned out."""
    found = [await relay.receive(number, kind) for number in range(count)]
    await relay.dispatched()
    return found


async def written(relay: Relay, count: int) -> datetime:
    """Write entries straight into the ledger, one for each minute before the time returned."""
    now = datetime.now(UTC).replace(microsecond=0)
    async with firestore(relay.address) as client:
        batch = client.batch()
        for number in range(count):
            batch.set(
                client.document("deliveries", f"{number % 16:x}{number:063x}"),
                {
                    "id": f"evt_{number}",
                    "type": "batch.failed" if number % 5 == 0 else "batch.succeeded",
                    "subject": f"job_{number % 7}",
                    "state": "done",
                    "shard": number % 16,
                    "received_at": now - timedelta(minutes=number),
                    "routes_done": ["events"],
                },
            )
        await batch.commit()
    return now


async def test_the_ledger_is_listed_newest_first_over_all_shards(relay: Relay) -> None:
    await written(relay, 200)
    found = await relay.hooks("events", "list", "--limit", "60")
    assert ids(found, "events") == [f"evt_{number}" for number in range(60)]
    assert not found["cut_short"]


async def test_an_absorbed_event_names_the_one_that_was_fanned_out(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(relay, 1)
    async with firestore(relay.address) as client:
        absorbed = {"state": "done", "routes_done": [], "absorbed_by": "rec_1"}
        await client.document("deliveries", f"{0:064x}").update(absorbed)
    [listed] = (await relay.hooks("events", "list"))["events"]
    assert listed["absorbed_by"] == "rec_1"
    monkeypatch.setattr(console, "width", lambda: 120)
    assert "absorbed by rec_1" in (await relay.invoke("events", "list")).stdout


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--type", "*.failed", "--limit=3"], [0, 5, 10]),
        (["--id", "evt_33"], [33]),
        (["--subject", "job_3", "--limit=4"], [3, 10, 17, 24]),
        (["--subject", "job_0", "--type", "*.failed"], [0, 35]),
        (["--state", "done", "--limit=2"], [0, 1]),
        (["--state", "claimed"], []),
        (["--since", "2"], [0, 1, 2]),
        (["--until", "56"], [57, 58, 59]),
        (["--since", "5", "--until", "2"], [3, 4, 5]),
    ],
)
async def test_the_ledger_is_searched(
    relay: Relay, options: Sequence[str], expected: Sequence[int]
) -> None:
    now = await written(relay, 60)
    # A bare number stands for so many minutes before.
    words = [
        (now - timedelta(minutes=int(word))).isoformat() if word.isdigit() else word
        for word in options
    ]
    found = await relay.hooks("events", "list", *words)
    assert ids(found, "events") == [f"evt_{number}" for number in expected]


async def test_a_search_reads_at_most_the_given_number_of_documents(relay: Relay) -> None:
    await written(relay, 60)
    cut = await relay.hooks("events", "list", "--type", "x", "--scan", "30")
    assert cut == {"events": [], "scanned": 30, "cut_short": True}
    told = await relay.invoke("events", "list", "--type", "x", "--scan", "30")
    assert "--since" in told.stderr
    assert "no events" in told.stdout


@pytest.mark.parametrize("option", [("--subject", "job_1"), ("--id", "evt_1")])
async def test_an_event_that_is_not_dispatched_is_listed_as_stored(
    relay: Relay, option: Sequence[str]
) -> None:
    relay.down = True
    await relay.receive(1)
    await relay.receive(1)
    await relay.receive(2)

    found = await relay.hooks("events", "list", *option)
    [entry] = found["events"]
    assert (entry["id"], entry["type"]) == ("evt_1", "batch.succeeded")
    assert (entry["subject"], entry["state"]) == ("job_1", "stored")
    told = await relay.invoke("events", "list", *option)
    assert "no events" not in told.stdout
    assert "not dispatched" in told.stderr
    assert f"hooks doctor --outputs {relay.outputs}`" in told.stderr
    [shown] = (await relay.hooks("events", "show", "evt_1", "--payload"))["events"]
    assert shown["payload"]["data"]["id"] == "job_1"
    assert await temporary(relay) == []

    assert (await relay.hooks("events", "list", *option, "--state", "done"))["events"] == []
    assert (await relay.hooks("events", "list", "--subject", "job_9"))["events"] == []
    cut = await relay.hooks("events", "list", "--subject", "job_9", "--scan", "2")
    assert cut["cut_short"]


async def test_without_retention_a_search_of_the_ledger_says_what_it_cannot_see(
    relay: Relay,
) -> None:
    await relay.retain_nothing()
    told = await relay.invoke("events", "list", "--subject", "job_1")
    assert (told.exit_code, told.stdout) == (0, "no events\n")
    assert "undispatched" in told.stderr


async def test_poison_is_listed_by_its_id(relay: Relay) -> None:
    await relay.receive_body(b"no json", 1)
    # The ledger is told after the dead letter is there.
    await relay.dispatched()
    assert relay.dead == 1
    [entry] = (await relay.hooks("events", "list", "--id", "evt_1"))["events"]
    assert (entry["type"], entry["subject"], entry["state"]) == ("", "", "poison")
    assert "hooks dlq list" in (await relay.invoke("events", "show", "evt_1")).stderr


async def test_entries_are_counted(relay: Relay) -> None:
    await written(relay, 60)
    now = datetime.now(UTC)
    async with connections.ledger(relay.deployment) as client:
        assert await ledger.count(client, now - timedelta(hours=2), now) == 60
        assert await ledger.count(client, now - timedelta(hours=2), now - timedelta(hours=1)) == 0


async def test_a_ledger_that_refuses_is_an_error(relay: Relay) -> None:
    relay.refuse = lambda call: "Firestore" in call.method
    for arguments in (("list",), ("show", "evt_1")):
        result = await relay.invoke("events", *arguments)
        assert isinstance(result.exception, HooksError)
        assert "Firestore refused" in str(result.exception)
    async with connections.ledger(relay.deployment) as client:
        with pytest.raises(HooksError, match="Firestore refused"):
            await ledger.entry_of(client, "x")
        with pytest.raises(HooksError, match="Firestore refused"):
            await ledger.count(client, datetime.now(UTC), datetime.now(UTC))
        with pytest.raises(HooksError, match="Firestore refused"):
            await ledger.search(client, Wanted(), limit=1, most=1)


async def test_payloads_come_from_the_retained_topic_when_asked_for(relay: Relay) -> None:
    await received(relay, 3)
    bare = await relay.hooks("events", "list")
    assert all("payload" not in each for each in bare["events"])

    full = await relay.hooks("events", "list", "--payload")
    assert {each["id"]: each["payload"]["data"]["id"] for each in full["events"]} == {
        f"evt_{number}": f"job_{number}" for number in range(3)
    }
    [one] = (await relay.hooks("events", "show", "evt_2", "--payload"))["events"]
    assert one["payload"]["type"] == "batch.succeeded"
    assert one["routes_done"] == ["blue", "events"]
    assert await temporary(relay) == []
    told = (await relay.invoke("events", "list", "--payload")).stdout
    assert "evt_1" in told
    assert "job_1" in told
    assert "blue, events" in (await relay.invoke("events", "show", "evt_1")).stdout


async def test_an_event_that_is_no_longer_retained_has_no_payload(relay: Relay) -> None:
    await written(relay, 1)
    [entry] = (await relay.hooks("events", "list", "--payload"))["events"]
    assert entry["payload"] is None


async def test_showing_an_unknown_event_is_an_error(relay: Relay) -> None:
    result = await relay.invoke("events", "show", "evt_9")
    assert isinstance(result.exception, HooksError)
    assert "evt_9" in str(result.exception)


async def test_a_replay_reaches_subscribers_once_more_and_says_so(relay: Relay) -> None:
    await received(relay, 4)
    told = await relay.hooks("events", "replay", "--since", "-1h")
    await relay.dispatched()

    assert told["events"] == 4
    assert told["types"] == {"batch.succeeded": 4}
    assert relay.fanned_out(NAMES.events) == {f"evt_{number}": 2 for number in range(4)}
    marks = [attributes.get("replay") for attributes, _ in relay.messages(NAMES.events)]
    assert marks == [None] * 4 + [told["replay"]] * 4
    assert relay.fanned_out(BLUE) == relay.fanned_out(NAMES.events)
    assert await temporary(relay) == []

    # Another replay sends the originals out again, not the repeats of the first.
    again = await relay.hooks("events", "replay", "--since", "-1h")
    await relay.dispatched()
    assert (again["events"], again["scanned"]) == (4, 4)
    assert relay.fanned_out(NAMES.events) == {f"evt_{number}": 3 for number in range(4)}
    assert len((await relay.hooks("events", "show", "evt_1"))["events"]) == 3


async def test_list_and_show_tell_a_replay_from_its_original(relay: Relay) -> None:
    await received(relay, 1)
    told = await relay.hooks("events", "replay", "--id", "evt_0")
    await relay.dispatched()

    shown = (await relay.hooks("events", "show", "evt_0"))["events"]
    original, replay = sorted(shown, key=lambda each: each["replay"] or "")
    assert (original["replay"], original["replayed_at"]) == (None, None)
    assert replay["replay"] == told["replay"]
    assert datetime.fromisoformat(replay["replayed_at"]) == time_of(told["replay"])
    assert list(original) == list(replay)
    assert list(replay)[:6] == ["id", "type", "subject", "state", "replay", "replayed_at"]
    for columns in (80, 120):
        listed = (await relay.invoke("events", "list", columns=columns)).stdout.splitlines()
        assert sum(told["replay"] in line for line in listed) == 1
        assert max(map(len, listed)) <= columns
    assert told["replay"] in (await relay.invoke("events", "show", "evt_0")).stdout


def time_of(replay: str) -> datetime:
    return datetime.strptime(replay[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


async def test_a_replay_takes_each_event_once_however_often_it_came(relay: Relay) -> None:
    for _ in range(3):
        await received(relay, 2)
    assert (await relay.hooks("events", "replay", "--type", "batch.*"))["events"] == 2
    await relay.dispatched()
    assert relay.fanned_out(NAMES.events) == {"evt_0": 2, "evt_1": 2}


async def test_a_replay_to_one_route_reaches_no_other(relay: Relay) -> None:
    await received(relay, 2)
    told = await relay.hooks("events", "replay", "--id", "evt_1", "--route", "blue")
    await relay.dispatched()
    assert told["routes"] == ["blue"]
    assert relay.fanned_out(BLUE) == {"evt_0": 1, "evt_1": 2}
    assert relay.fanned_out(NAMES.events) == {"evt_0": 1, "evt_1": 1}

    await relay.hooks("events", "replay", "--id", "evt_1", "--route", "blue", "--route", "events")
    await relay.dispatched()
    assert relay.fanned_out(BLUE) == {"evt_0": 1, "evt_1": 3}
    assert relay.fanned_out(NAMES.events) == {"evt_0": 1, "evt_1": 2}
    unknown = await relay.invoke("events", "replay", "--id", "evt_1", "--route", "green")
    assert isinstance(unknown.exception, UsageError)
    assert "blue, events" in str(unknown.exception)


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
async def test_replaying_an_unknown_id_fails(relay: Relay, options: Sequence[str]) -> None:
    await received(relay, 1)
    words = ("events", "replay", "--id", "evt_0", "--id", "evt_9", *options)
    told = await relay.hooks(*words, status=1)
    assert (told["events"], told["missing"]) == (1, ["evt_9"])
    assert "evt_9" in (await relay.invoke(*words)).stderr
    known = await relay.hooks("events", "replay", "--id", "evt_0", *options)
    assert known["missing"] == []


async def test_a_replay_selects_the_events_that_match_every_option(relay: Relay) -> None:
    hours = timedelta(hours=1)
    for number in range(6):
        when = datetime.now(UTC) - number * hours
        kind = "batch.failed" if number % 2 else "batch.succeeded"
        await relay.receive(number, kind, received_at=when.isoformat())
    await relay.dispatched()

    async def chosen(*options: str, status: int = 0) -> int:
        told = await relay.hooks("events", "replay", *options, "--dry-run", status=status)
        assert told["replay"] is None
        return int(told["events"])

    assert await chosen("--type", "*.failed") == 3
    assert await chosen("--type", "*.failed", "--since", "-210m") == 2
    assert await chosen("--until", "-150m") == 3
    assert await chosen("--since", "-210m", "--until", "-30m") == 3
    many = [f"evt_{number}" for number in range(2, 40)]
    options = [option for each in many for option in ("--id", each)]
    assert await chosen(*options, status=1) == 4
    assert relay.pubsub.published_count(NAMES.ingress) == 6
    assert await temporary(relay) == []


async def test_thousands_are_replayed(relay: Relay) -> None:
    relay.down = True
    for number in range(2000):
        await relay.receive(number)
    told = await relay.hooks("events", "replay", "--since", "-1h", "--rate", "0")
    assert told["events"] == 2000
    assert relay.pubsub.published_count(NAMES.ingress) == 4000


async def test_a_replay_that_was_stopped_is_resumed(relay: Relay, tmp_path: Path) -> None:
    await received(relay, 250)
    published = relay.pubsub.published_count(NAMES.ingress)
    checkpoint = tmp_path / "half.json"

    def after_a_hundred(call: Call) -> bool:
        return (
            call.method.endswith("/Publish")
            and getattr(call.request, "topic", "") == NAMES.ingress
            and relay.pubsub.published_count(NAMES.ingress) >= published + 100
        )

    relay.refuse = after_a_hundred
    stopped = await relay.invoke(
        "events", "replay", "--since", "-1h", "--checkpoint", str(checkpoint)
    )
    assert isinstance(stopped.exception, HooksError)
    command = f"hooks events replay --resume {checkpoint} --outputs {relay.outputs}"
    assert f"`{command}`" in stopped.stderr
    noted = json.loads(checkpoint.read_text())
    assert noted["replayed"] == 100
    assert len(await temporary(relay)) == 1

    relay.refuse = lambda _call: False
    told = await relay.hooks("events", "replay", "--resume", str(checkpoint))
    await relay.dispatched()

    assert told["events"] == 250
    assert told["replay"] == noted["replay"]
    assert relay.fanned_out(NAMES.events) == {f"evt_{number}": 2 for number in range(250)}
    assert relay.pubsub.published_count(NAMES.ingress) == published + 250
    assert not checkpoint.exists()
    assert await temporary(relay) == []


async def test_a_replay_whose_subscription_is_gone_starts_over_and_repeats_nothing(
    relay: Relay, tmp_path: Path
) -> None:
    await received(relay, 20)
    checkpoint = tmp_path / "half.json"
    relay.refuse = lambda call: call.method.endswith("/Acknowledge")
    await relay.invoke("events", "replay", "--since", "-1h", "--checkpoint", str(checkpoint))
    relay.refuse = lambda _call: False
    await relay.dispatched()
    assert relay.fanned_out(NAMES.events) == {f"evt_{number}": 2 for number in range(20)}
    await relay.delete_subscription(json.loads(checkpoint.read_text())["subscription"])

    told = await relay.hooks("events", "replay", "--resume", str(checkpoint))
    await relay.dispatched()

    assert told["events"] == 20
    assert relay.fanned_out(NAMES.events) == {f"evt_{number}": 2 for number in range(20)}


async def test_new_events_do_not_prolong_a_replay(relay: Relay) -> None:
    await received(relay, 1)
    busy = asyncio.create_task(arriving(relay))
    try:
        told = await relay.hooks("events", "replay", "--since", "-1h")
    finally:
        busy.cancel()
    assert told["events"] >= 1


async def arriving(relay: Relay) -> None:
    number = 100
    while True:
        await relay.receive(number)
        number += 1
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay"], "--since"),
        (["replay", "--resume", "x", "--id", "y"], "--resume"),
        (["replay", "--resume", "/nowhere/x"], "not a checkpoint"),
        (["replay", "--since", "yesterday"], "--since 'yesterday' is not a time"),
        (["list", "--state", "lost"], "claimed, done, dead-lettered"),
        (["list", "--until", "soon"], "--until 'soon' is not a time"),
    ],
)
async def test_wrong_options_are_refused_with_a_hint(
    relay: Relay, arguments: Sequence[str], said: str
) -> None:
    result = await relay.invoke("events", *arguments)
    assert isinstance(result.exception, UsageError)
    assert said in str(result.exception)


async def test_a_checkpoint_of_another_deployment_is_refused(relay: Relay, tmp_path: Path) -> None:
    await received(relay, 1)
    checkpoint = tmp_path / "other.json"
    relay.refuse = lambda call: call.method.endswith("/Acknowledge")
    await relay.invoke("events", "replay", "--since", "-1h", "--checkpoint", str(checkpoint))
    noted = json.loads(checkpoint.read_text()) | {"topic": "projects/p/topics/other"}
    checkpoint.write_text(json.dumps(noted))
    result = await relay.invoke("events", "replay", "--resume", str(checkpoint))
    assert isinstance(result.exception, UsageError)
    assert "projects/p/topics/other" in str(result.exception)


async def test_a_topic_that_retains_nothing_cannot_be_replayed(relay: Relay) -> None:
    await relay.retain_nothing()
    result = await relay.invoke("events", "replay", "--since", "-1h")
    assert isinstance(result.exception, UsageError)
    assert "topic_retention.ingress" in str(result.exception)


async def test_a_warning_says_that_older_events_are_not_retained(relay: Relay) -> None:
    await received(relay, 1)
    result = await relay.invoke("events", "replay", "--since", "-30d", "--dry-run")
    assert "what is older is not replayed from it" in result.stderr
    assert "1 event would be replayed" in result.stdout


async def temporary(relay: Relay) -> list[str]:
    return [name for name in await relay.subscriptions() if "/hooks-" in name]
