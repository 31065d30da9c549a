"""What `hooks doctor` says of a deployment on the local cloud, asked in both possible ways."""

import json
from pathlib import Path

from hooks.local.cloud.site import API_KEY, Site
from hooks.operate.deployment import Where, find
from hooks.operate.doctor import Options, examine
from tests.infra.deployed import NAME


async def the_doctor_finds_nothing_wrong(made: Site, directory: Path) -> None:
    """Examine a deployment by Terraform's outputs: at Gemini, and at the registrar."""
    outputs = await made.terraform.outputs()
    path = directory / "outputs.json"
    path.write_text(json.dumps(outputs))
    state = made.cloud.state
    emulators = await made.cloud.variables_for(state.deployer)
    audience = f"https://{NAME}-registrar-{state.project.number}.europe-west1.run.app"
    token = state.issuer.identity_token(state.deployer.partition(":")[2], audience)
    keys = (
        {"GEMINI_API_KEY": API_KEY, "GOOGLE_GEMINI_BASE_URL": made.gemini_url},
        {"REGISTRAR_IDENTITY_TOKEN": token},
    )
    for key in keys:
        found = await examine(find(Where(outputs=path), emulators), Options(), key)
        assert [finding for finding in found if finding.status != "ok"] == []
        assert len(found) == 6
