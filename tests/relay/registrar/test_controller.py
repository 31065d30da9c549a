import asyncio
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from localcloud.gemini.faults import Fault
from relay.errors import GeminiRefused
from relay.registrar import controller as controller_module
from relay.registrar.lease import LEASE
from relay.registrar.problems import Busy, NotRegistered, VaultRefused
from relay.registrar.state import AFTER_A_DAY, AT_ONCE
from tests.relay.registrar.world import Strike, World

NEVER = timedelta(0)


def calls(world: World, operation: str) -> int:
    return [call.operation for call in world.gemini.gate.log].count(f"webhooks.{operation}")


async def test_converge_registers_stores_and_pings_once(world: World) -> None:
    site = await world.site()
    assert await site.controller().converge()
    await site.check()
    await world.gemini.courier.quiet()
    assert [delivery.event_type for delivery in world.gemini.account] == ["webhook.ping"]
    assert not await site.controller().converge()
    assert calls(world, "ping") == 1
    assert calls(world, "create") == 1
    assert calls(world, "update") == 0


async def test_the_secret_is_stored_before_the_ping(world: World) -> None:
    site = await world.site()
    strike = Strike()
    await site.controller(strike).converge()
    assert strike.calls.index("add") < strike.calls.index("ping")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "edited"},
        {"subscribed_events": ["batch.failed"]},
        {"state": "disabled"},
        {"uri": "https://elsewhere.example/"},
    ],
)
async def test_converge_repairs_an_edited_webhook(world: World, change: dict[str, Any]) -> None:
    site = await world.site()
    await site.controller().converge()
    (webhook,) = site.registered()
    webhook.apply(change, world.clock.time())
    assert not (await site.observer().look()).in_sync
    assert await site.controller().converge()
    await site.check()


async def test_a_webhook_that_gemini_disabled_is_enabled_and_logged(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    site = await world.site()
    await site.controller().converge()
    (webhook,) = site.registered()
    webhook.state = "disabled_due_to_failed_deliveries"
    assert await site.controller().converge()
    await site.check()
    assert '"message":"webhook disabled"' in capsys.readouterr().out


async def test_the_webhook_follows_its_uri(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    (webhook,) = site.registered()
    site.settings = replace(site.settings, uri="https://moved.example/", generation="g2")
    assert await site.controller().converge()
    await site.check()
    assert site.registered() == [webhook]


async def test_an_unknown_webhook_with_our_uri_is_adopted(world: World) -> None:
    site = await world.site()
    known = site.register(name="by hand")
    assert await site.controller().converge()
    await site.check()
    assert [webhook.id for webhook in site.registered()] == [known["id"]]
    assert calls(world, "create") == 0


@pytest.mark.parametrize(("uri", "shown"), [("", "/"), ("/", ""), ("/a", "/a")])
async def test_a_trailing_slash_at_the_root_makes_no_difference(
    world: World, uri: str, shown: str
) -> None:
    site = await world.site(uri=f"https://slash.example{uri}")
    site.register(uri=f"https://slash.example{shown}", name="relay")
    await site.controller().converge()
    assert not await site.controller().converge()
    assert (await site.observer().look()).in_sync
    assert len([*world.gemini.webhooks]) == 1


async def test_a_trailing_slash_on_a_path_makes_a_difference(world: World) -> None:
    site = await world.site(uri="https://slash.example/a")
    site.register(uri="https://slash.example/a/")
    await site.controller().converge()
    assert len([*world.gemini.webhooks]) == 2


async def test_a_failed_immediate_revocation_is_done_by_the_next_rotation(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    world.gemini.gate.faults.add(Fault("webhooks.rotate", "error-before"))
    with pytest.raises(GeminiRefused):
        await site.controller().rotate(AT_ONCE, NEVER)
    await site.controller().rotate(AFTER_A_DAY, NEVER)
    await site.controller().converge()
    await site.check()
    assert list(await site.versions()) == [2]
    (webhook,) = site.registered()
    assert len(webhook.secrets) == 1


async def test_a_webhook_of_the_same_name_is_not_ours(world: World) -> None:
    site = await world.site()
    foreign = site.register(name=site.settings.name, uri="https://foreign.example/")
    await site.controller().converge()
    await site.check()
    assert world.gemini.webhooks.get(foreign["id"])["uri"] == "https://foreign.example/"


async def test_a_known_webhook_missing_from_the_list_is_not_created_again(
    world: World,
) -> None:
    site = await world.site()
    await site.controller().converge()
    (webhook,) = site.registered()
    # As if the list were behind.
    number, webhook.number = webhook.number, -1
    assert (await site.observer().look()).in_sync
    assert not await site.controller().converge()
    assert await site.controller().remove()
    webhook.number = number
    assert site.registered() == []


async def test_a_thousand_foreign_webhooks_are_left_alone(world: World) -> None:
    site = await world.site()
    foreign = [
        site.register(name=site.settings.name, uri=f"https://foreign-{number}.example/")["id"]
        for number in range(1000)
    ]
    before = [world.gemini.webhooks.get(identifier) for identifier in foreign]
    await site.controller().converge()
    await site.controller().rotate(AFTER_A_DAY, NEVER)
    await site.controller().converge()
    await site.check()
    await site.controller().remove()
    assert [world.gemini.webhooks.get(identifier) for identifier in foreign] == before
    assert calls(world, "list") >= 4


async def test_concurrent_converges_end_in_one_webhook(world: World) -> None:
    site = await world.site()
    changed = await asyncio.gather(*(site.controller().converge() for _ in range(4)))
    await site.check()
    assert sorted(changed) == [False, False, False, True]
    assert len(await site.versions()) == 1


async def test_a_duplicate_webhook_is_deleted(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    (webhook,) = site.registered()
    site.register()
    assert not (await site.observer().look()).in_sync
    assert await site.controller().converge()
    await site.check()
    assert site.registered() == [webhook]


async def test_rotation_keeps_the_old_secret_for_a_day(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    first = await site.versions()
    assert await site.controller().rotate(AFTER_A_DAY, NEVER)
    both = await site.versions()
    assert both.items() > first.items()
    await site.controller().converge()
    await site.check()
    assert await site.versions() == both
    await world.clock.advance(24 * 3600)
    assert await site.controller().converge()
    await site.check()
    assert list(await site.versions()) == [2]


async def test_rotation_can_revoke_at_once(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    assert await site.controller().rotate(AT_ONCE, NEVER)
    await site.controller().converge()
    await site.check()
    assert list(await site.versions()) == [2]


async def test_revoking_at_once_cuts_an_overlap_short(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    await site.controller().rotate(AFTER_A_DAY, NEVER)
    await site.controller().rotate(AT_ONCE, NEVER)
    assert list(await site.versions()) == [3]


async def test_an_overlap_ends_while_the_webhook_is_absent(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    await site.controller().rotate(AFTER_A_DAY, NEVER)
    await site.controller().remove()
    assert list(await site.versions()) == [2, 1]
    await world.clock.advance(24 * 3600)
    assert await site.controller().converge()
    assert list(await site.versions()) == [2]


async def test_a_removal_does_not_forget_to_revoke_at_once(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    world.gemini.gate.faults.add(Fault("webhooks.rotate", "lost-reply"))
    with pytest.raises(GeminiRefused):
        await site.controller().rotate(AT_ONCE, NEVER)
    await site.controller().remove()
    site.settings = replace(site.settings, generation="g2")
    await site.controller().converge()
    assert list(await site.versions()) == [2]


async def test_a_schedule_rotates_only_what_is_old(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    age = timedelta(days=30)
    assert not await site.controller().rotate(AFTER_A_DAY, age)
    await world.clock.advance(30 * 24 * 3600)
    assert await site.controller().rotate(AFTER_A_DAY, age)
    assert not await site.controller().rotate(AFTER_A_DAY, age)
    assert calls(world, "rotate") == 1


async def test_a_secret_that_may_be_lost_is_rotated_whatever_its_age(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    world.gemini.gate.faults.add(Fault("webhooks.rotate", "lost-reply"))
    with pytest.raises(GeminiRefused):
        await site.controller().rotate(AT_ONCE, NEVER)
    assert (await site.state()).pending == AT_ONCE
    assert not (await site.observer().look()).in_sync
    assert await site.controller().rotate(AFTER_A_DAY, timedelta(days=30))


async def test_a_secret_whose_version_was_destroyed_is_replaced(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    name = f"{site.settings.signing_secret}/versions/1"
    await world.secrets.destroy_secret_version({"name": name})
    assert await site.controller().converge()
    await site.check()
    assert list(await site.versions()) == [2]


async def test_enabled_versions_stored_by_others_retire_too(world: World) -> None:
    site = await world.site()
    parent = site.settings.signing_secret
    for _ in range(2):
        await world.secrets.add_secret_version({"parent": parent, "payload": {"data": b"old"}})
    await site.controller().converge()
    await world.clock.advance(24 * 3600)
    await site.controller().converge()
    await site.check()
    assert list(await site.versions()) == [3]


async def test_a_missing_version_counts_as_disabled(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    await site.controller().rotate(AFTER_A_DAY, NEVER)
    name = f"{site.settings.signing_secret}/versions/1"
    await world.secrets.destroy_secret_version({"name": name})
    await world.clock.advance(24 * 3600)
    await site.controller().converge()
    assert (await site.state()).retiring == {}


async def test_no_secret_is_requested_while_none_can_be_stored(world: World) -> None:
    site = await world.site(signing_secret="projects/test-project/secrets/missing")
    with pytest.raises(VaultRefused, match="NOT_FOUND"):
        await site.controller().converge()
    assert site.registered() == []
    site.register()
    with pytest.raises(VaultRefused):
        await site.controller().converge()
    assert calls(world, "rotate") == 0


@pytest.mark.parametrize("behind", [False, True])
async def test_nothing_registered_is_a_conflict(world: World, behind: bool) -> None:
    site = await world.site()
    if behind:
        await site.controller().converge()
        world.gemini.webhooks.delete(site.registered()[0].id)
    with pytest.raises(NotRegistered):
        await site.controller().ping()
    with pytest.raises(NotRegistered):
        await site.controller().rotate(AFTER_A_DAY, NEVER)


async def test_no_ping_before_the_secret_is_stored(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    world.gemini.gate.faults.add(Fault("webhooks.rotate", "error-before"))
    with pytest.raises(GeminiRefused):
        await site.controller().rotate(AFTER_A_DAY, NEVER)
    with pytest.raises(NotRegistered):
        await site.controller().ping()
    assert calls(world, "ping") == 1


async def test_a_failed_ping_is_retried_and_blocks_nothing(world: World) -> None:
    site = await world.site()
    world.gemini.gate.faults.add(Fault("webhooks.ping", "error-before"))
    with pytest.raises(GeminiRefused):
        await site.controller().converge()
    assert (await site.observer().look()).in_sync
    await site.controller().converge()
    await site.check()
    assert calls(world, "ping") == 2


async def test_a_removed_webhook_stays_absent_until_the_generation_changes(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    assert await site.controller().remove()
    assert not await site.controller().remove()
    assert not await site.controller().converge()
    assert site.registered() == []
    report = await site.observer().look()
    assert (report.state, report.in_sync, report.generation) == ("absent", False, "g1")
    assert "DELETE" in report.reason
    site.settings = replace(site.settings, generation="g2")
    assert await site.controller().converge()
    await site.check()


async def test_absence_can_be_the_desired_state(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    site.settings = replace(site.settings, present=False, generation="g2")
    assert (await site.observer().look()).reason == "The webhook is still registered."
    assert await site.controller().converge()
    assert not await site.controller().converge()
    report = await site.observer().look()
    assert (report.id, report.state, report.in_sync) == ("", "absent", True)
    assert not await site.controller().remove()
    site.settings = replace(site.settings, present=True, generation="g1")
    assert await site.controller().converge()
    await site.check()


async def test_a_reached_absence_ends_the_hold_of_a_removal(world: World) -> None:
    site = await world.site()
    await site.controller().remove()
    present = site.settings
    site.settings = replace(present, present=False, generation="g2")
    await site.controller().converge()
    # A generation is made of what is wanted: wanting the same again brings it back.
    site.settings = present
    assert await site.controller().converge()
    await site.check()


async def test_the_generation_of_an_absence_is_reported(world: World) -> None:
    site = await world.site(present=False, generation="g2")
    await site.controller().converge()
    report = await site.observer().look()
    assert report.generation == "g2"


async def test_a_converge_past_its_budget_leaves_the_rest_to_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await world.site()
    budgets: list[asyncio.Timeout] = []

    def budget(_seconds: float) -> asyncio.Timeout:
        budgets.append(asyncio.timeout(None))
        return budgets[-1]

    monkeypatch.setattr(controller_module, "asyncio", SimpleNamespace(timeout=budget))
    world.gemini.gate.faults.add(Fault("webhooks.create", "hang-after"))
    converging = asyncio.create_task(site.controller().converge())
    # The simulator announces no call before its end.
    while not site.registered():  # noqa: ASYNC110
        await asyncio.sleep(0)
    budgets[0].reschedule(0)
    with pytest.raises(Busy):
        await converging
    assert "seconds" in (await site.state()).problem
    await site.controller().converge()
    await site.check()


async def test_the_reason_of_a_failure_is_remembered(world: World) -> None:
    site = await world.site()
    world.gemini.gate.faults.add(Fault("webhooks.list", "error-before", status=403))
    with pytest.raises(GeminiRefused):
        await site.controller().converge()
    state = await site.state()
    assert "403" in state.problem
    assert state.problem_generation == "g1"
    await site.controller().converge()
    assert (await site.state()).problem == ""


async def test_a_frozen_worker_finds_its_lease_taken(world: World) -> None:
    site = await world.site()
    thawed = asyncio.Event()
    frozen = asyncio.Event()
    create = world.webhooks.create

    async def freeze(*arguments: Any) -> Any:
        frozen.set()
        await thawed.wait()
        return await create(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.webhooks, "create", freeze)
        first = asyncio.create_task(site.controller().converge())
        await frozen.wait()
    await world.clock.advance(LEASE.total_seconds())
    assert await site.controller().converge()
    thawed.set()
    with pytest.raises(Busy):
        await first
    assert len(site.registered()) == 2
    await site.controller().converge()
    (webhook,) = site.registered()
    assert webhook.secrets[0].value in (await site.versions()).values()
