"""What the operator's commands see of a deployment on the local cloud."""

import asyncio
import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hooks import connections, stackfile
from hooks.cli import app
from hooks.deployment import Deployment, Where, find
from hooks.doctor.actions import Options, examine
from hooks.laptop.deploy import describe
from hooks.ledger import Wanted, count, search
from localcloud.laptop.site import API_KEY, Site
from tests.infra.deployed import NAME, set_converging


async def the_doctor_finds_nothing_wrong(made: Site, directory: Path) -> None:
    """Examine a deployment by Terraform's outputs: at Gemini, and at the registrar."""
    state = made.cloud.state
    where = await found_by_outputs(made, directory)
    audience = f"https://{NAME}-registrar-{state.project.number}.europe-west1.run.app"
    token = state.issuer.identity_token(state.deployer.partition(":")[2], audience)
    keys = (
        {"GEMINI_API_KEY": API_KEY, "GOOGLE_GEMINI_BASE_URL": made.gemini_url},
        {"REGISTRAR_IDENTITY_TOKEN": token},
    )
    for key in keys:
        found = await examine(where, Options(), key)
        assert [finding for finding in found if finding.status != "ok"] == []
        assert len(found) == 6


async def the_registrar_is_asked(made: Site, directory: Path) -> None:
    """Run `hooks webhook` beside `hooks deploy --local`, without a key or a token of its own."""
    described = await describe(made, await made.terraform.outputs())
    [webhook] = made.gemini.webhooks

    def run(*words: str) -> dict[str, Any]:
        with contextlib.chdir(directory), pytest.MonkeyPatch.context() as patch:
            for name in ("GEMINI_API_KEY", "REGISTRAR_IDENTITY_TOKEN", "HOOKS_OUTPUTS"):
                patch.delenv(name, raising=False)
            result = CliRunner().invoke(app, ["webhook", *words, "--json"])
        if result.exit_code:
            raise AssertionError(result.output) from result.exception
        return dict(json.loads(result.stdout))

    # Otherwise the schedule may enable the webhook first.
    await set_converging(made, "pause")
    with stackfile.locked(directory) as file:
        file.announce(described)
        webhook.state = "disabled"
        shown = await asyncio.to_thread(run, "show")
        # Only the registrar says which state it was told to reach.
        assert (shown["id"], shown["state"]) == (webhook.id, "disabled")
        assert "generation" in shown
        enabled = await asyncio.to_thread(run, "update", "--state", "enabled")
        assert (enabled["state"], webhook.state) == ("enabled", "enabled")
    await set_converging(made, "resume")


async def the_ledger_is_listed(made: Site, directory: Path) -> None:
    """List the ledger in every way that there is: Firestore refuses a query without its index."""
    where = await found_by_outputs(made, directory)
    since, until = datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
    async with connections.ledger(where) as client:
        newest = (await search(client, Wanted(), limit=100, most=1000)).entries
        assert len(newest) >= 3
        one = newest[0]
        ways = (
            Wanted(id=one["id"]),
            Wanted(subject=one["subject"]),
            Wanted(type=one["type"], since=since),
            Wanted(until=until),
            Wanted(since=since, until=until),
        )
        for wanted in ways:
            found = await search(client, wanted, limit=100, most=1000)
            assert one["id"] in [entry["id"] for entry in found.entries], wanted
        for state in ("claimed", "done", "dead-lettered"):
            await search(client, Wanted(state=state), limit=100, most=1000)
        assert await count(client, since, until) >= len(newest)


async def found_by_outputs(made: Site, directory: Path) -> Deployment:
    """Return the deployment as Terraform's outputs tell of it, to the deployer."""
    path = directory / "outputs.json"
    path.write_text(json.dumps(await made.terraform.outputs()))
    emulators = await made.cloud.variables_for(made.cloud.state.deployer)
    return find(Where(outputs=path), emulators)
