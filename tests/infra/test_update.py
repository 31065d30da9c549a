"""The default deployment is changed, drifts, and is destroyed: the last that is done with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localcloud.laptop.site import Site
from tests.infra.deployed import (
    DEFAULT,
    NAME,
    PLAN,
    applied_elsewhere,
    changes,
    deliveries_arrive,
    fire,
    has_access_tokens_alone,
    reads_only,
    set_converging,
)
from tests.infra.deployer import ROLES
from tests.infra.discovery import Referee
from tests.infra.test_plan import ROLES as GOOGLES

pytestmark = DEFAULT

REGISTRAR = "module.registrar.module.function.google_cloudfunctions2_function.function"
EVENTS = ("batch.failed", "batch.succeeded")
DRIFT = "The webhook at Gemini is not as it should be"


async def test_a_change_touches_only_what_depends_on_it(default: Site, tmp_path: Path) -> None:
    events = {"webhook": {"events": EVENTS}}
    assert await changes(default, events) == {REGISTRAR: ["update"]}

    subscriber: dict[str, Any] = {"subscribers": {"audit": {"pull": {}}}}
    changed = await changes(default, subscriber)
    modules = {address.split(".")[1].partition("[")[0] for address in changed}
    assert "subscribers" in modules <= {"subscribers", "monitoring"}
    assert {tuple(actions) for actions in changed.values()} <= {("create",), ("update",)}

    api_key = {"gemini_api_key_version": 2}
    version = "module.secrets.google_secret_manager_secret_version.gemini_api_key"
    changed = await changes(default, api_key)
    assert changed.keys() == {version, REGISTRAR}
    assert changed[REGISTRAR] == ["update"]

    # New code, too, which is planned here and applied on another machine.
    default.terraform.variables |= events | subscriber | api_key
    code = default.options.directory / "functions" / "main.py"
    code.write_text(f"{code.read_text()}\n# Upgraded.\n")
    await default.terraform.plan(f"-out={PLAN}")
    await applied_elsewhere(default, tmp_path)
    (webhook,) = default.gemini.webhooks
    assert sorted(webhook.subscribed_events) == sorted(EVENTS)


async def test_the_plan_shows_drift_and_the_next_converge_heals_it(default: Site) -> None:
    # No schedule may heal it before it has been seen.
    await set_converging(default, "pause")
    (webhook,) = default.gemini.webhooks
    default.gemini.webhooks.delete(webhook.id)
    assert DRIFT in await default.terraform.plan()
    await healed(default)
    for drift in ({"subscribed_events": ["batch.failed"]}, {"state": "disabled"}):
        (webhook,) = default.gemini.webhooks
        default.gemini.webhooks.update(webhook.id, drift, "")
        await healed(default)
    await set_converging(default, "resume")
    assert DRIFT not in await default.terraform.plan()
    await deliveries_arrive(default)


async def healed(default: Site) -> None:
    """Converge once; check that the webhook is as declared."""
    assert await fire(default, f"{NAME}-converge") == 200
    (webhook,) = default.gemini.webhooks
    assert (sorted(webhook.subscribed_events), webhook.state) == (sorted(EVENTS), "enabled")


async def test_destroy_reads_before_it_writes_and_leaves_nothing(
    default: Site, tmp_path: Path
) -> None:
    await reads_only(default, "-destroy")
    has_access_tokens_alone(default, tmp_path)
    await default.terraform.apply(PLAN)
    assert await default.cloud.remains() == []
    assert list(default.gemini.webhooks) == []


@pytest.mark.usefixtures("default")
async def test_every_call_is_one_that_google_documents(
    referee: Referee, record_property: Callable[[str, object], None]
) -> None:
    record_property("calls", dict(referee.calls))
    assert sum(referee.calls.values()) > 600
    assert referee.disagreements == {}


@pytest.mark.parametrize("role", sorted(ROLES))
async def test_the_deployer_needed_each_of_its_roles(default: Site, role: str) -> None:
    used = default.cloud.state.used
    others = {permission for each in ROLES - {role} for permission in GOOGLES[each]}
    assert used - others != set()
