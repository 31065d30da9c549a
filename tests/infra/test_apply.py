"""The real Terraform applied to a local cloud: deployed, used, changed, mended, destroyed."""

from pathlib import Path
from typing import Any

import pytest

from localcloud.gemini import Settings
from localcloud.gemini.faults import Fault
from localcloud.laptop.site import API_KEY, Site
from localcloud.laptop.terraform import TerraformFailed
from tests.infra.deployed import (
    NAME,
    answered,
    changes,
    deployment,
    everything_kept,
    fire,
    rest,
    secrets_of,
    subscribed,
)
from tests.infra.examined import the_doctor_finds_nothing_wrong, the_ledger_is_listed

# A whole deployment is made, mostly by the provider's own waits.
pytestmark = pytest.mark.timeout(900)

REGISTRAR = "module.registrar.module.function.google_cloudfunctions2_function.function"


async def test_the_default_deployment(tmp_path: Path, subtests: pytest.Subtests) -> None:
    async with deployment(tmp_path) as made:
        await made.terraform.apply()
        with subtests.test("the webhook is registered as declared"):
            (webhook,) = made.gemini.webhooks
            outputs = await made.terraform.outputs()
            assert (webhook.uri, webhook.state) == (outputs["webhook_url"], "enabled")
        with subtests.test("deliveries reach a subscriber, forgeries do not"):
            await deliveries_arrive(made)
        with subtests.test("the doctor finds nothing wrong"):
            await the_doctor_finds_nothing_wrong(made, tmp_path)
        with subtests.test("the declared indexes serve every way to list the ledger"):
            await the_ledger_is_listed(made, tmp_path)
        with subtests.test("a second apply changes nothing"):
            await nothing_changes(made)
        with subtests.test("neither plan nor state holds a secret"):
            await no_secret_is_kept(made)
        with subtests.test("a change changes what it must"):
            await changes_are_small(made)
        with subtests.test("drift is shown, and healed by the next converge"):
            await drift_heals(made)
        with subtests.test("the refresh of destroy writes nothing"):
            await reads_only(made, "-destroy")
        with subtests.test("destroy leaves nothing"):
            await made.terraform.destroy()
            assert await made.cloud.remains() == []
            assert list(made.gemini.webhooks) == []


async def deliveries_arrive(made: Site) -> None:
    outputs = await made.terraform.outputs()
    url = outputs["webhook_url"]
    async with subscribed(made, outputs["topics"]["events"]) as subscriber:
        genuine = [
            *made.gemini.emit("batch.succeeded"),
            *made.gemini.emit("interaction.completed", uris=[url], scheme="v1a"),
            *made.gemini.emit("video.generated", uris=[url], scheme="jwt"),
        ]
        forged = made.gemini.emit("batch.failed", uris=[url], forgery="wrong-key")
        assert await answered(made, genuine) == [200, 200, 200]
        assert await answered(made, forged) == [401]
        await subscriber.hears(genuine)
        assert "batch.failed" not in {message.attributes["ce-type"] for message in subscriber.heard}


async def nothing_changes(made: Site) -> None:
    await reads_only(made)
    applied = await made.terraform.apply()
    assert "0 added, 0 changed, 0 destroyed" in applied


async def reads_only(made: Site, *arguments: str) -> None:
    """Plan, and look into every log: only what reads may stand there."""
    mark, heard = made.cloud.state.journal.mark(), len(made.gemini.gate.log)
    await made.terraform.plan(*arguments, "-out=test.tfplan")
    assert made.cloud.state.journal.writes(mark) == []
    # The schedules go on meanwhile; in sync, they too only read at Gemini.
    calls = list(made.gemini.gate.log)[heard:]
    assert {call.method for call in calls} <= {"GET"}
    asked = [entry for entry in made.cloud.state.journal.since(mark) if "-wait@" in entry.identity]
    assert {entry.call.split()[0] for entry in asked} <= {"GET"}


async def no_secret_is_kept(made: Site) -> None:
    values = await secrets_of(made)
    assert API_KEY in values
    assert any(value.startswith("whsec_") for value in values)
    kept = await everything_kept(made)
    assert [value for value in values if value in kept] == []


EVENTS = ("batch.failed", "batch.succeeded")


async def changes_are_small(made: Site) -> None:
    events = {"webhook": {"events": EVENTS}}
    assert await changes(made, events) == {REGISTRAR: ["update"]}

    subscriber: dict[str, Any] = {"subscribers": {"audit": {"pull": {}}}}
    changed = await changes(made, subscriber)
    modules = {address.split(".")[1].partition("[")[0] for address in changed}
    assert "subscribers" in modules <= {"subscribers", "monitoring"}
    assert {tuple(actions) for actions in changed.values()} <= {("create",), ("update",)}

    api_key = {"gemini_api_key_version": 2}
    version = "module.secrets.google_secret_manager_secret_version.gemini_api_key"
    changed = await changes(made, api_key)
    assert changed.keys() == {version, REGISTRAR}
    assert changed[REGISTRAR] == ["update"]

    made.terraform.variables |= events | subscriber | api_key
    await made.terraform.apply()
    (webhook,) = made.gemini.webhooks
    assert sorted(webhook.subscribed_events) == sorted(EVENTS)


async def drift_heals(made: Site) -> None:
    for drift in ({"subscribed_events": ["batch.failed"]}, {"state": "disabled"}, None):
        (webhook,) = made.gemini.webhooks
        # No schedule may heal it before it has been seen.
        await set_converging(made, "pause")
        if drift:
            made.gemini.webhooks.update(webhook.id, drift, "")
        else:
            made.gemini.webhooks.delete(webhook.id)
        assert "The webhook at Gemini is not as it should be" in await made.terraform.plan(), drift
        await set_converging(made, "resume")
        assert await fire(made, f"{NAME}-converge") == 200
        (healed,) = made.gemini.webhooks
        assert (sorted(healed.subscribed_events), healed.state) == (sorted(EVENTS), "enabled")
    assert "is not as it should be" not in await made.terraform.plan()
    await deliveries_arrive(made)


async def set_converging(made: Site, verb: str) -> None:
    job = f"{made.cloud.state.root}/locations/europe-west1/jobs/{NAME}-converge"
    await rest(made, "POST", f"/cloudscheduler/v1/{job}:{verb}")
    # What it has begun goes on.
    await made.cloud.scheduler.idle()


async def test_a_failing_registration(tmp_path: Path, subtests: pytest.Subtests) -> None:
    settings = Settings(api_keys=frozenset({API_KEY}))
    variables: dict[str, Any] = {"gemini_api_key": "not-the-api-key", "wait_seconds": 15}
    async with deployment(tmp_path, gemini=settings, variables=variables) as made:
        broken = made.options.directory / "functions" / "relay" / "registrar" / "__init__.py"
        source = broken.read_text()
        with subtests.test("the registrar does not start"):
            broken.write_text(f"raise SystemExit('out of order')\n{source}")
            message = await apply_fails(made)
            assert f"{NAME}-registrar" in message
            assert "out of order" in message
            broken.write_text(source)
        with subtests.test("the API key is wrong"):
            message = await apply_fails(made)
            assert "The webhook is not registered as it should be" in message
            assert "API key not valid" in message
            assert "not-the-api-key" not in message
        with subtests.test("Gemini refuses the address"):
            made.terraform.variables |= {"gemini_api_key": API_KEY, "gemini_api_key_version": 2}
            refusal = Fault("webhooks.create", "error-before", times=1000, status=400)
            made.gemini.gate.faults.add(refusal)
            message = await apply_fails(made)
            assert "Injected by a test." in message
        with subtests.test("once mended, the next apply succeeds"):
            made.gemini.gate.faults.clear()
            await made.terraform.apply()
            await deliveries_arrive(made)


async def apply_fails(made: Site) -> str:
    with pytest.raises(TerraformFailed) as failed:
        await made.terraform.apply()
    return str(failed.value)
