"""The real Terraform applied to a local cloud, once: what the default deployment does."""

from pathlib import Path

from localcloud.laptop.site import API_KEY, Site
from tests.infra.deployed import (
    DEFAULT,
    deliveries_arrive,
    everything_kept,
    reads_only,
    secrets_of,
)
from tests.infra.examined import (
    the_doctor_finds_nothing_wrong,
    the_ledger_is_listed,
    the_registrar_is_asked,
)

pytestmark = DEFAULT


async def test_the_webhook_is_registered_as_declared(default: Site) -> None:
    (webhook,) = default.gemini.webhooks
    outputs = await default.terraform.outputs()
    assert (webhook.uri, webhook.state) == (outputs["webhook_url"], "enabled")


async def test_deliveries_reach_a_subscriber_and_forgeries_do_not(default: Site) -> None:
    await deliveries_arrive(default)


async def test_the_doctor_finds_nothing_wrong(default: Site, tmp_path: Path) -> None:
    await the_doctor_finds_nothing_wrong(default, tmp_path)


async def test_the_declared_indexes_serve_every_query_of_the_ledger(
    default: Site, tmp_path: Path
) -> None:
    await deliveries_arrive(default)
    await the_ledger_is_listed(default, tmp_path)


async def test_webhook_commands_in_its_directory_go_through_the_registrar(
    default: Site, tmp_path: Path
) -> None:
    await the_registrar_is_asked(default, tmp_path)


async def test_the_next_plan_changes_nothing_and_no_secret_is_kept(default: Site) -> None:
    assert "No changes." in await reads_only(default)
    values = await secrets_of(default)
    assert API_KEY in values
    assert any(value.startswith("whsec_") for value in values)
    kept = await everything_kept(default)
    assert [value for value in values if value in kept] == []
