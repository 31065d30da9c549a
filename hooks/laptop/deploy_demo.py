"""What `hooks deploy --local --demo` does: apply, send, plan again, destroy, and a verdict."""

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from hooks import console
from hooks.laptop import deploy
from hooks.laptop.phases import added
from hooks.subscription import Listener, listening
from localcloud.gemini.deliveries import Delivery
from localcloud.laptop.site import Options, Site, site

_ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Check:
    """One thing that must hold; `detail` gives the numbers."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Shown:
    """The outcome; `seconds` it took."""

    checks: Sequence[Check]
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)

    def facts(self) -> dict[str, Any]:
        """Return the outcome as a JSON object."""
        return {
            "holds": self.holds,
            "seconds": round(self.seconds, 1),
            "checks": [asdict(check) for check in self.checks],
        }


async def run(variables: Mapping[str, Any], *, verbose: bool, as_json: bool) -> Shown:
    """Deploy to a local cloud, send deliveries through it, and destroy it.

    Raises `LocalCloudError` if Terraform fails.
    """
    begun = time.monotonic()
    on_line = deploy.teller(verbose=verbose, as_json=as_json)
    with tempfile.TemporaryDirectory(prefix="hooks-deploy-") as directory:
        options = Options(directory=Path(directory), variables=variables, on_line=on_line)
        async with site(options) as made:
            checks = [await _apply(made), *await _deliver(made), await _plan(made)]
            checks += await _destroy(made)
    return Shown(checks, time.monotonic() - begun)


def show(shown: Shown) -> None:
    """Print the checks and the verdict."""
    table = Table.grid(padding=(0, 2))
    for check in shown.checks:
        mark = Text("holds", "green") if check.holds else Text("FAILS", "bold red")
        table.add_row(mark, check.name, Text(check.detail, "dim"))
    console.out.print(table)
    failed = [check.name for check in shown.checks if not check.holds]
    verdict = (
        Text(f"It FAILS: {'; '.join(failed)}", "bold red")
        if failed
        else Text("It deploys, delivers and is destroyed", "bold green")
    )
    console.out.print(verdict.append(f" ({shown.seconds:.1f} s)", "default"))


async def _apply(made: Site) -> Check:
    begun = time.monotonic()
    resources = added(await made.terraform.apply())
    detail = f"{resources} resources in {time.monotonic() - begun:.0f} s"
    registered = [webhook for webhook in made.gemini.webhooks if webhook.state == "enabled"]
    return Check("one apply deploys and registers the webhook", len(registered) == 1, detail)


async def _deliver(made: Site) -> list[Check]:
    outputs = await made.terraform.outputs()
    address = await made.cloud.address_for(made.cloud.state.deployer)
    async with listening(outputs["topics"]["events"], emulator=address) as listener:
        url = outputs["webhook_url"]
        genuine = [
            *made.gemini.emit("batch.succeeded"),
            *made.gemini.emit("interaction.completed", uris=[url], scheme="v1a"),
            *made.gemini.emit("video.generated", uris=[url], scheme="jwt"),
        ]
        await made.gemini.courier.settled(genuine, _ANSWER_SECONDS)
        # Nobody sends a forgery again if the receiver has no keys yet.
        forged = made.gemini.emit("batch.succeeded", uris=[url], forgery="wrong-key")
        await made.gemini.courier.settled(forged, _ANSWER_SECONDS)
        heard = await _heard(listener, {each.message.event_id for each in genuine})
    return [
        _arrived(genuine, heard),
        Check(
            "a forged delivery is refused",
            {attempt.status for each in forged for attempt in each.attempts} == {401},
            f"{[attempt.status for each in forged for attempt in each.attempts]}",
        ),
    ]


def _arrived(genuine: Sequence[Delivery], heard: AbstractSet[str]) -> Check:
    lost = [each.event_type for each in genuine if each.message.event_id not in heard]
    detail = f"{', '.join(lost)} did not" if lost else f"{len(genuine)} of {len(genuine)}"
    return Check("v1, v1a and JWT deliveries reach a subscriber", not lost, detail)


async def _heard(listener: Listener, wanted: AbstractSet[str]) -> AbstractSet[str]:
    heard: set[str] = set()
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            while not wanted <= heard:
                message = await anext(aiter(listener))
                heard.add(message.attributes.get("ce-id", ""))
    except TimeoutError:
        # The check names the missing events.
        return heard
    return heard


async def _plan(made: Site) -> Check:
    mark = made.cloud.state.journal.mark()
    outcome = await made.terraform.attempt("plan", "-input=false", "-detailed-exitcode")
    writes = made.cloud.state.journal.writes(mark)
    written = ", ".join(entry.call for entry in writes) or "nothing"
    detail = f"exit status {outcome.status}, wrote {written}"
    return Check("a second plan changes nothing", outcome.status == 0 and not writes, detail)


async def _destroy(made: Site) -> list[Check]:
    begun = time.monotonic()
    await made.terraform.destroy()
    left = await made.cloud.remains()
    webhooks = list(made.gemini.webhooks)
    return [
        Check(
            "destroy leaves an empty project",
            not left,
            ", ".join(left) or f"{time.monotonic() - begun:.0f} s",
        ),
        Check("destroy leaves no webhook", not webhooks, f"{len(webhooks)} at Gemini"),
    ]
