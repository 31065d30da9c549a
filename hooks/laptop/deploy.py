"""What `hooks deploy --local` does: it applies `infra/` to a local cloud that it keeps running."""

import asyncio
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from hooks import console, stackfile
from hooks.deployment import subscribers_of
from hooks.laptop.phases import Phases
from localcloud.laptop.site import Options, Site, site
from localcloud.runner.process import OnLine


async def serve(
    variables: Mapping[str, Any], *, verbose: bool, freeze: bool, as_json: bool
) -> None:
    """Apply `infra/` to a local cloud, print the outputs, and keep it running until cancelled.

    `hooks send` and `hooks tail` find it like the stack of `hooks dev`; `freeze` is the local
    cloud's. Raises `LocalCloudError`, also if the apply fails.
    """
    on_line = teller(verbose=verbose, as_json=as_json)
    with (
        stackfile.locked() as file,
        tempfile.TemporaryDirectory(prefix="hooks-deploy-") as directory,
    ):
        options = Options(
            directory=Path(directory), variables=variables, freeze=freeze, on_line=on_line
        )
        async with site(options) as made:
            await made.terraform.apply()
            outputs = await made.terraform.outputs()
            described = await describe(made, outputs)
            file.announce(described)
            _summarise(made, outputs, described, as_json=as_json)
            await asyncio.Event().wait()


def teller(*, verbose: bool, as_json: bool) -> OnLine:
    """Return what prints the functions' lines and Terraform's phases, or all of its lines."""
    phases = Phases()

    def on_line(name: str, line: str) -> None:
        shown = phases.read(line) if name == "terraform" and not verbose else line
        if shown is None:
            return
        if as_json:
            console.print_json({"from": name, "line": shown})
        else:
            console.out.print(console.log_line(name, shown, margin=26))

    return on_line


async def describe(made: Site, outputs: Mapping[str, Any]) -> stackfile.Description:
    """Describe an applied deployment to the other commands."""
    ours = outputs["webhook_url"]
    found = [webhook.id for webhook in made.gemini.webhooks if webhook.uri == ours]
    dispatcher = next(name for name in made.cloud.deployments if name.endswith("-dispatcher"))
    audience = urlencode({"audience": made.registrar_audience})
    variables = await made.cloud.variables_for(made.cloud.state.deployer)
    if database := outputs.get("jobs_database"):
        variables["JOBS_DATABASE"] = database
    return stackfile.Description(
        pid=os.getpid(),
        command="deploy",
        gemini_url=made.gemini_url,
        receive_url=ours,
        dispatch_url=made.cloud.deployments[dispatcher].url,
        webhook=found[0] if found else "",
        topics=outputs["topics"],
        variables={
            "GOOGLE_CLOUD_PROJECT": outputs["project"],
            "GOOGLE_GEMINI_BASE_URL": made.gemini_url,
            **variables,
        },
        registrar_url=outputs["registrar_url"],
        token_url=f"{made.cloud.url}/control/identity-token?{audience}",
        subscribers=subscribers_of(outputs),
    )


def _summarise(
    made: Site, outputs: Mapping[str, Any], running: stackfile.Description, *, as_json: bool
) -> None:
    if as_json:
        console.print_json({"outputs": outputs, "stack": asdict(running)})
        return
    where = {
        "Google Cloud": f"{made.cloud.url}  (a local cloud)",
        "Gemini": f"{made.gemini_url}  (a simulator)",
        "Terraform": str(made.terraform.directory),
    }
    shown = {name: _text(value) for name, value in outputs.items() if name != "next_steps"}
    exports = {f"export {name}={value}": "" for name, value in running.variables.items()}
    for title, entries in (("Here", where), ("Outputs", shown), ("Variables", exports)):
        console.out.print(f"\n[bold]{title}[/bold]")
        console.out.print(console.pairs(entries))
    console.out.print(
        "\nIn another terminal, in the same directory: [bold]hooks send batch.succeeded[/bold],"
        " [bold]hooks tail[/bold]. Ctrl-C takes it down.\n"
    )


def _text(value: object) -> str:
    if isinstance(value, dict):
        return "".join(f"\n    {key}: {item}" for key, item in value.items()) or "none"
    return str(value)
