"""The life of a deployment against every delay and refusal of Google's, in the order of the steps.

`python -m tests.infra.transcript` prints what each step took. The deployer has the documented roles
alone. `--rate` says how many times as fast as at Google the delays pass.
"""

import argparse
import asyncio
import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from localcloud.controlplane.realism import Realism
from localcloud.laptop.site import Site
from tests.infra.deployed import (
    NAME,
    PLAN,
    applied_elsewhere,
    deliveries_arrive,
    deployment,
    fire,
    has_access_tokens_alone,
    set_converging,
)
from tests.infra.discovery import Referee

DRIFT = "The webhook at Gemini is not as it should be"


@asynccontextmanager
async def step(name: str) -> AsyncIterator[list[str]]:
    begun, said = time.monotonic(), list[str]()
    yield said
    print(f"{name:<42}{time.monotonic() - begun:>6.0f} s   {'; '.join(said)}", flush=True)


def outcome(output: str) -> str:
    """Return the line in which Terraform sums up."""
    found = re.findall(
        r"^(?:Apply complete!|Destroy complete!|No changes\.|Plan:).*", output, re.MULTILINE
    )
    return found[-1] if found else "?"


async def drift(made: Site) -> str:
    await set_converging(made, "pause")
    (webhook,) = made.gemini.webhooks
    made.gemini.webhooks.delete(webhook.id)
    shown = DRIFT in await made.terraform.plan()
    answered = await fire(made, f"{NAME}-converge")
    await set_converging(made, "resume")
    healed = len(list(made.gemini.webhooks)) == 1 and DRIFT not in await made.terraform.plan()
    return f"shown: {shown}; converge answers {answered}; healed: {healed}"


async def life(made: Site, directory: Path) -> None:
    async with step("apply on an empty project") as said:
        said.append(outcome(await made.terraform.apply()))
    async with step("deliveries of three schemes, one forged") as said:
        await deliveries_arrive(made)
        said.append("200, 200, 200, 401; three events pulled")
    async with step("second plan") as said:
        said.append(outcome(await made.terraform.plan()))
    async with step("the webhook is deleted at Gemini") as said:
        said.append(await drift(made))
    async with step("new code, planned here, applied elsewhere") as said:
        code = made.options.directory / "functions" / "main.py"
        code.write_text(f"{code.read_text()}\n# Upgraded.\n")
        said.append(outcome(await made.terraform.plan(f"-out={PLAN}")))
        await applied_elsewhere(made, directory / "elsewhere")
        await deliveries_arrive(made)
    async with step("destroy, with access tokens alone") as said:
        has_access_tokens_alone(made, directory)
        said.append(outcome(await made.terraform.destroy()))
        remains, webhooks = await made.cloud.remains(), list(made.gemini.webhooks)
        said.append(f"{len(remains)} resources and {len(webhooks)} webhooks are left")
    async with step("the database's name comes free") as said:
        await made.cloud.state.delays.sleep(made.options.realism.database_name_seconds)
        said.append("Google: 5 minutes")
    async with step("apply again") as said:
        said.append(outcome(await made.terraform.apply()))
        await deliveries_arrive(made)


async def main(rate: float) -> None:
    referee = Referee()
    with tempfile.TemporaryDirectory() as directory:
        deployed = Path(directory) / "deployed"
        unkind = Realism(rate=rate)
        async with deployment(deployed, referee=referee, realism=unkind) as made:
            for name in ("activation", "propagation"):
                seconds = made.terraform.variables[f"{name}_seconds"]
                print(f"{name}_seconds = {seconds}, at Google {seconds * rate:.0f}")
            await life(made, Path(directory))
            roles = len(made.options.deployer_roles)
    print(f"{roles} roles; {sum(referee.calls.values())} calls, all as Google documents them")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=20.0)
    asyncio.run(main(parser.parse_args().rate))
