"""An apply that cannot succeed says why, and the next one goes on from there."""

from pathlib import Path
from typing import Any

import pytest

from localcloud.gemini import Settings
from localcloud.gemini.faults import Fault
from localcloud.laptop.site import API_KEY, Site
from localcloud.laptop.terraform import TerraformFailed
from tests.infra.deployed import NAME, deliveries_arrive, deployment

pytestmark = [pytest.mark.long_apply, pytest.mark.timeout(900)]


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
