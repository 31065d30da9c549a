"""Every failure at every step: each call to the outside fails, or is the registrar's last.

Each scenario is run once to count its calls. Then, for each of them, before and after its effect,
it is run again with an error there, and with the process dying there; and the next converge must
end in one webhook whose newest stored secret is the one that signs.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from relay.errors import GeminiRefused, RelayError
from relay.registrar.controller import Controller
from relay.registrar.lease import LEASE
from relay.registrar.state import AFTER_A_DAY, AT_ONCE
from tests.relay.registrar.world import Killed, Site, Strike, World

Prepare = Callable[[Site], Awaitable[Any]]
Act = Callable[[Controller], Awaitable[Any]]

NEVER = timedelta(0)


async def nothing(_site: Site) -> None:
    return


async def converged(site: Site) -> None:
    await site.controller().converge()


async def drifted(site: Site) -> None:
    await converged(site)
    (webhook,) = site.registered()
    change = {"name": "edited", "subscribed_events": ["batch.failed"], "state": "disabled"}
    webhook.apply(change, site.world.clock.time())


async def adopted(site: Site) -> None:
    site.register()


async def rotated_long_ago(site: Site) -> None:
    await converged(site)
    await site.controller().rotate(AFTER_A_DAY, NEVER)
    await site.world.clock.advance(24 * 3600 + 1)


async def doubled(site: Site) -> None:
    await converged(site)
    site.register()
    site.register()


async def deleted(site: Site) -> None:
    await converged(site)
    (webhook,) = site.registered()
    site.world.gemini.webhooks.delete(webhook.id)


async def version_disabled(site: Site) -> None:
    await converged(site)
    name = f"{site.settings.signing_secret}/versions/1"
    await site.world.secrets.disable_secret_version({"name": name})


async def version_destroyed(site: Site) -> None:
    await converged(site)
    name = f"{site.settings.signing_secret}/versions/1"
    await site.world.secrets.destroy_secret_version({"name": name})


# To die before a call is to die after the one before it.
FAILURES = ((False, GeminiRefused("injected")), (True, GeminiRefused("injected")), (True, Killed()))


@dataclass(frozen=True)
class Scenario:
    """What was, what is asked for, and which calls that takes at least."""

    prepare: Prepare
    act: Act
    calls: frozenset[str]


def converge(controller: Controller) -> Awaitable[Any]:
    return controller.converge()


SCENARIOS = {
    "create": Scenario(
        nothing, converge, frozenset({"create", "update", "all", "enabled", "add", "ping"})
    ),
    "amend": Scenario(drifted, converge, frozenset({"update", "all", "readable"})),
    "adopt": Scenario(adopted, converge, frozenset({"rotate", "add", "update"})),
    "retire": Scenario(rotated_long_ago, converge, frozenset({"disable"})),
    "delete-doubles": Scenario(doubled, converge, frozenset({"delete"})),
    "create-again": Scenario(deleted, converge, frozenset({"find", "create"})),
    "enable": Scenario(version_disabled, converge, frozenset({"enable"})),
    "replace": Scenario(version_destroyed, converge, frozenset({"enable", "rotate"})),
    "rotate": Scenario(
        converged,
        lambda controller: controller.rotate(AFTER_A_DAY, NEVER),
        frozenset({"find", "rotate", "add"}),
    ),
    "rotate-at-once": Scenario(
        converged,
        lambda controller: controller.rotate(AT_ONCE, NEVER),
        frozenset({"rotate", "add", "disable"}),
    ),
    "ping": Scenario(converged, lambda controller: controller.ping(), frozenset({"ping"})),
    "remove": Scenario(converged, lambda controller: controller.remove(), frozenset({"delete"})),
}


async def run(site: Site, scenario: Scenario, strike: Strike) -> None:
    await scenario.prepare(site)
    try:
        await scenario.act(site.controller(strike))
    except (RelayError, Killed):
        assert strike.error is not None


async def recover(site: Site) -> Site:
    """Converge as the schedule would, once the lease of a dead process is over."""
    await site.world.clock.advance(LEASE.total_seconds())
    # A removal holds until the generation changes.
    next_site = replace(site, settings=replace(site.settings, generation="g2"))
    await next_site.controller().converge()
    return next_site


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_next_converge_repairs_any_failure(world: World, name: str) -> None:
    scenario = SCENARIOS[name]
    foreign = [(await world.site()).register(uri=f"https://foreign-{n}.example") for n in range(3)]
    strike = Strike()
    site = await world.site()
    await run(site, scenario, strike)
    assert scenario.calls <= set(strike.calls)
    for at in range(1, len(strike.calls) + 1):
        for after, error in FAILURES:
            site = await world.site()
            await run(site, scenario, Strike(at, after, error))
            site = await recover(site)
            await site.check()
            if name == "rotate-at-once":
                await check_revoked(site)
    shown = [world.gemini.webhooks.get(each["id"]) for each in foreign]
    assert [{**each, "new_signing_secret": ""} for each in foreign] == [
        {**each, "new_signing_secret": ""} for each in shown
    ]


async def check_revoked(site: Site) -> None:
    """Assert that a rotation that began, and was to revoke at once, has revoked."""
    (webhook,) = site.registered()
    if len(webhook.secrets) > 1 or webhook.secrets[0].value != (await site.versions()).get(1):
        active = webhook.active_secrets(site.world.clock.time())
        assert len(active) == 1
        assert [*(await site.versions()).values()] == active


@pytest.mark.parametrize("name", ["create", "remove"])
async def test_absence_is_reached_after_any_failure(world: World, name: str) -> None:
    scenario = SCENARIOS[name]
    strike = Strike()
    await run(await world.site(), scenario, strike)
    for at in range(1, len(strike.calls) + 1):
        for after in (False, True):
            site = await world.site()
            await run(site, scenario, Strike(at, after, Killed()))
            site.settings = replace(site.settings, present=False, generation="g2")
            await world.clock.advance(LEASE.total_seconds())
            await site.controller().converge()
            assert site.registered() == []
            report = await site.observer().look()
            assert (report.in_sync, report.state, report.generation) == (True, "absent", "g2")
