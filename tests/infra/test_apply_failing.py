"""An apply that cannot succeed says why, and the next one goes on from there."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from localcloud.gemini import Settings
from localcloud.gemini.faults import Fault
from localcloud.laptop.site import API_KEY, Site
from localcloud.laptop.terraform import TerraformFailed
from tests.infra.deployed import NAME, UNKIND, deliveries_arrive, deployment
from tests.infra.killed import killed
from tests.infra.workspace import REPOSITORY

pytestmark = [pytest.mark.long_apply, pytest.mark.timeout(900)]


async def test_a_failing_registration(tmp_path: Path, subtests: pytest.Subtests) -> None:
    settings = Settings(api_keys=frozenset({API_KEY}))
    variables: dict[str, Any] = {"gemini_api_key": "not-the-api-key", "wait_seconds": 15}
    # Firestore's own delay is short, and Terraform would not always meet it.
    unkind = dataclasses.replace(UNKIND, database_visibility_seconds=600.0)
    options: dict[str, Any] = {"gemini": settings, "variables": variables, "realism": unkind}
    async with deployment(tmp_path, **options) as made:
        with subtests.test("the database is not found after it was made, and is imported"):
            await the_ledger_is_lost_and_found(made)
        with subtests.test("the apply is interrupted, twice"):
            assert await killed(made, 10)
            assert await killed(made, 20)
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
            planned = await made.terraform.plan()
            assert "No changes." in planned, planned[-4000:]


async def the_ledger_is_lost_and_found(made: Site) -> None:
    """Lose the database as Terraform does, and import it as `docs/deploy.md` says."""
    ledger = "-target=module.ledger.google_firestore_database.ledger"
    assert "Root object was present, but now absent" in await apply_fails(made, ledger)
    await made.cloud.state.delays.sleep(made.options.realism.database_visibility_seconds)
    assert "already exists" in await apply_fails(made, ledger)
    page = (REPOSITORY / "docs/deploy.md").read_text("utf-8")
    (block,) = re.findall(r"^```hcl\n(import \{\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    importing = made.terraform.directory / "import.tf"
    importing.write_text(block.replace("my-project/", f"{made.cloud.state.project.id}/"))
    assert "1 imported" in await made.terraform.apply(ledger)
    importing.unlink()


async def apply_fails(made: Site, *arguments: str) -> str:
    with pytest.raises(TerraformFailed) as failed:
        await made.terraform.apply(*arguments)
    return str(failed.value)
