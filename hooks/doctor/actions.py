"""What `hooks doctor` does: every check of a deployment, in the order of an event's hops."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import httpx2
from rich.text import Text

from hooks import connections, console
from hooks.deadletter import read
from hooks.deployment import DEFAULT_NAME, Deployment
from hooks.display import wrapped
from hooks.doctor import checks
from hooks.doctor.findings import Finding, failed, skipped
from hooks.doctor.preflight import Plan, preflight
from hooks.errors import HooksError, UsageError
from hooks.google_apis import GoogleApis, default_token
from hooks.leases import lease_messages, patience
from hooks.options import Target
from hooks.subscription import listening
from hooks.webhook.source import WebhookSource, webhook_source
from relay.gemini.webhooks import Webhook

_HTTP_SECONDS = 15.0
_MOST_LETTERS = 100
_MARKS = {"ok": ("✔", "green"), "failed": ("✘", "red"), "skipped": ("-", "yellow")}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `hooks doctor`.

    `url` replaces the deployment's. `ping_type` is a glob. `wait` is how many seconds a ping may
    take.
    """

    url: str = ""
    ping_type: str = "*ping*"
    wait: float = 60.0


async def examine(
    deployment: Deployment, options: Options, environ: Mapping[str, str]
) -> list[Finding]:
    """Make every check, and return the findings.

    `environ` may hold `REGISTRAR_IDENTITY_TOKEN`, else `GEMINI_API_KEY`. Raises `UsageError` if
    neither is there, or if the webhook's address is unknown.
    """
    url = options.url or deployment.webhook_url
    if not url:
        raise UsageError("the webhook's address is unknown: give --outputs, or --url")
    # A proxy cannot reach this machine's stack.
    async with (
        httpx2.AsyncClient(timeout=_HTTP_SECONDS, trust_env=not deployment.local) as http,
        webhook_source(deployment, url, environ, http, "doctor") as source,
    ):
        found, webhook = await checks.registered(source, url, deployment)
        return [
            *found,
            await checks.answers(http, url),
            await checks.refuses(http, url),
            await _ping(deployment, options, source, webhook),
            await _dead_letters(deployment),
        ]


async def examine_before(target: Target, region: str) -> list[Finding]:
    """Make every check before an apply into a region, and return the findings.

    `target` names the project and the deployment's name; raises `UsageError` if it does not.
    """
    if not target.project or target.outputs:
        raise UsageError("--region goes with --project: it checks before there is a deployment")
    plan = Plan(project=target.project, region=region, name=target.name or DEFAULT_NAME)
    async with httpx2.AsyncClient(timeout=_HTTP_SECONDS) as http:
        return await preflight(GoogleApis(http, default_token), plan)


async def _ping(
    deployment: Deployment, options: Options, source: WebhookSource, webhook: Webhook | None
) -> Finding:
    if webhook is None:
        return skipped(checks.PING, "there is no webhook to ping")
    if webhook.state != "enabled":
        return skipped(checks.PING, f"Gemini pings no webhook that is {webhook.state}")
    try:
        async with (
            listening(
                deployment.ingress, emulator=deployment.pubsub, prefix="hooks-doctor"
            ) as ingress,
            listening(
                deployment.topics["events"], emulator=deployment.pubsub, prefix="hooks-doctor"
            ) as events,
        ):
            journey = checks.Journey(
                aiter(ingress),
                aiter(events),
                glob=options.ping_type,
                seconds=options.wait,
                deployment=deployment,
            )
            return await journey.check(source, webhook)
    except HooksError as error:
        return failed(
            checks.PING, str(error), "grant yourself roles/pubsub.editor, to create subscriptions"
        )


async def _dead_letters(deployment: Deployment) -> Finding:
    try:
        async with (
            connections.subscriber(deployment.pubsub) as client,
            lease_messages(
                client, deployment.dead_letters, patience=patience(deployment.pubsub)
            ) as leases,
        ):
            letters = [read(message) async for message in leases.messages(most=_MOST_LETTERS)]
    except HooksError as error:
        remedy = "grant yourself roles/pubsub.subscriber on the subscription of the dead letters"
        return failed(checks.EMPTY, str(error), remedy)
    return checks.empty(sorted(letters, key=lambda each: each.died), deployment, most=_MOST_LETTERS)


def well(findings: list[Finding]) -> bool:
    """Tell whether no check failed; one is skipped where it cannot be made."""
    return all(finding.status != "failed" for finding in findings)


def show(findings: list[Finding], *, json: bool) -> None:
    """Print the findings and their remedies."""
    if json:
        console.print_json({"ok": well(findings), "checks": [asdict(each) for each in findings]})
        return
    for finding in findings:
        mark, style = _MARKS[finding.status]
        said = Text(wrapped(f"{finding.check}: {finding.detail}", "  ", console.width()))
        said.stylize("bold", 0, len(finding.check))
        console.out.print(Text.assemble((f"{mark} ", style), said))
        if finding.remedy:
            remedy = wrapped(finding.remedy, "    ", console.width())
            console.out.print(Text(f"  → {remedy}", "yellow"))
