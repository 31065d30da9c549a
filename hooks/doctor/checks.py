"""The checks of `hooks doctor`: each examines one thing from outside.

What is wrong becomes a finding, with a remedy whose commands act on the deployment; no check raises
for it. Clients are passed in.
"""

import asyncio
import base64
import os
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import httpx2

from hooks.bodies import body_type
from hooks.deadletter import MALFORMED, DeadLetter
from hooks.deployment import Deployment
from hooks.display import age
from hooks.doctor.findings import Finding, failed, passed, skipped
from hooks.errors import HooksError
from hooks.subscription import Received
from hooks.webhook.source import WebhookSource
from hooks.webhook.states import ENABLED, explain, webhook_command
from relay.dispatcher.worker import UNKNOWN_ROUTE
from relay.gemini.webhooks import Webhook

REGISTERED = "the webhook is registered"
STATE = "the webhook is enabled"
ANSWERS = "the URL answers"
REFUSES = "a forged delivery is refused"
PING = "a ping travels to the events topic"
EMPTY = "there are no dead letters"

_UNREACHABLE = (
    "is the address right, and does the receiver run? Its name must resolve, and it must be open to"
    " everyone: Cloud Run's invoker `allUsers`, which an organisation policy may forbid"
    " (docs/deploy.md)"
)


async def registered(
    source: WebhookSource, url: str, deployment: Deployment
) -> tuple[tuple[Finding, Finding], Webhook | None]:
    """Check that a webhook points at `url` and is enabled; also return it if it exists."""
    try:
        webhook = await source.webhook()
    except HooksError as error:
        return _unknown(str(error)), None
    if webhook is None:
        return _absent(url, deployment), None
    events = ", ".join(sorted(webhook.events)) or "nothing"
    there = passed(REGISTERED, f"{webhook.id} at {webhook.uri}, subscribed to {events}")
    if webhook.uri.rstrip("/") != url.rstrip("/"):
        there = failed(
            REGISTERED,
            f"{webhook.id} points at {webhook.uri}, not at {url}",
            "the registrar repairs that within a minute, or at once"
            f" `{webhook_command(deployment, 'apply', url)}`",
        )
    return (there, state(webhook, deployment)), webhook


def state(webhook: Webhook, deployment: Deployment) -> Finding:
    """Check that Gemini delivers to a webhook in its state."""
    meaning, remedy = explain(webhook.state, webhook.id, deployment)
    if webhook.state == ENABLED:
        return passed(STATE, "its state is enabled")
    return failed(STATE, f"its state is {webhook.state or 'not told'}: {meaning}", remedy)


def _unknown(reason: str) -> tuple[Finding, Finding]:
    remedy = (
        "check that the API key (GEMINI_API_KEY) is of the project whose webhooks these are, or"
        " that the identity token (REGISTRAR_IDENTITY_TOKEN) is fresh and may invoke the registrar"
    )
    return failed(REGISTERED, reason, remedy), skipped(STATE, "its state is not known")


def _absent(url: str, deployment: Deployment) -> tuple[Finding, Finding]:
    remedy = (
        "a deployment's registrar registers it within a minute (its log says why it did not), or at"
        f" once with `{webhook_command(deployment, 'apply', url)}`"
    )
    return (
        failed(REGISTERED, f"Gemini has no webhook at {url}", remedy),
        skipped(STATE, "there is no webhook"),
    )


async def answers(client: httpx2.AsyncClient, url: str) -> Finding:
    """Check that the receiver answers a health check."""
    try:
        answer = await client.get(url)
    except httpx2.HTTPError as error:
        return failed(ANSWERS, f"GET {url}: {type(error).__name__} {error}".strip(), _UNREACHABLE)
    if answer.status_code != httpx2.codes.OK:
        return failed(ANSWERS, f"GET {url} answered {answer.status_code}", _UNREACHABLE)
    return passed(ANSWERS, f"GET {url} answered 200")


async def refuses(client: httpx2.AsyncClient, url: str) -> Finding:
    """Check that a delivery with a forged signature is answered with 401."""
    try:
        answer = await client.post(url, content=_FORGED, headers=forged_headers())
    except httpx2.HTTPError as error:
        return failed(REFUSES, f"POST: {type(error).__name__} {error}".strip(), _UNREACHABLE)
    status = answer.status_code
    if status == httpx2.codes.UNAUTHORIZED:
        return passed(REFUSES, "it was answered with 401")
    return failed(REFUSES, f"it was answered with {status}", _not_refused(status))


_FORGED = b'{"type":"hooks.doctor","data":{"id":"forged"}}'


def forged_headers() -> dict[str, str]:
    """Return well-formed, timely headers with a random signature."""
    return {
        "content-type": "application/json",
        "webhook-id": f"hooks-doctor-{secrets.token_hex(8)}",
        "webhook-timestamp": str(int(time.time())),
        "webhook-signature": f"v1,{base64.b64encode(os.urandom(32)).decode()}",
    }


def _not_refused(status: int) -> str:
    if status < httpx2.codes.MULTIPLE_CHOICES:
        return (
            "something at that address accepts what anybody sends: it is not the receiver. Treat"
            " every event since as untrusted"
        )
    if status == httpx2.codes.SERVICE_UNAVAILABLE:
        return (
            "the receiver cannot read its keys (see its log): the signing secret needs an enabled"
            " version, and the receiver's identity the right to read it"
        )
    if status == httpx2.codes.FORBIDDEN:
        return _UNREACHABLE
    return "something else than the receiver answers there: compare the address"


class Journey:
    """A ping, followed from Gemini to the ingress topic and the events topic.

    `glob` matches the types of pings; one may take `seconds`.
    """

    def __init__(
        self,
        ingress: AsyncIterator[Received],
        events: AsyncIterator[Received],
        *,
        glob: str,
        seconds: float,
        deployment: Deployment,
    ) -> None:
        self._deployment = deployment
        self._topics = {"ingress": ingress, "events": events}
        self._glob = glob
        self._seconds = seconds
        self._seen: set[str] = set()

    async def check(self, source: WebhookSource, webhook: Webhook) -> Finding:
        """Have Gemini send a ping, and check that it reaches the events topic."""
        try:
            await source.ping(webhook)
        except HooksError as error:
            apply = webhook_command(self._deployment, "apply", webhook.uri)
            remedy = f"repair the registration with `{apply}`, and try again"
            return failed(PING, f"no ping was sent: {error}", remedy)
        arrived = asyncio.create_task(self._wait("events"))
        stored = asyncio.create_task(self._wait("ingress"))
        try:
            async with asyncio.timeout(self._seconds):
                ping = await arrived
        except TimeoutError:
            return self._lost(webhook.uri)
        except HooksError as error:
            return failed(PING, str(error), "check that you may subscribe to the topics")
        finally:
            arrived.cancel()
            stored.cancel()
            await asyncio.gather(arrived, stored, return_exceptions=True)
        return passed(PING, f"{_type(ping)} arrived as {ping.attributes.get('ce-id')}")

    async def _wait(self, topic: str) -> Received:
        async for message in self._topics[topic]:
            if fnmatchcase(_type(message), self._glob):
                self._seen.add(topic)
                return message
        raise HooksError(f"the subscription to {topic} ended")

    def _lost(self, url: str) -> Finding:
        within = f"within {self._seconds:.0f} s"
        if "ingress" in self._seen:
            return failed(
                PING,
                f"it was verified and stored, but did not reach the events topic {within}",
                "the dispatcher does not get it, or cannot finish: see its log, the ingress"
                " subscription's oldest message, and"
                f" `{self._deployment.command('events', 'list', '--state', 'claimed')}`",
            )
        return failed(
            PING,
            f"no {self._glob} reached the ingress topic {within}",
            "Gemini did not deliver it, or the receiver refused it: see the receiver's log for"
            " refused signatures (if the newest signing secret is not stored,"
            f" `{webhook_command(self._deployment, 'rotate', url)}` makes and stores another), and"
            " check that Gemini can reach the address; --wait waits longer",
        )


def _type(message: Received) -> str:
    return message.attributes.get("ce-type") or body_type(message.data)


def empty(letters: list[DeadLetter], deployment: Deployment, *, most: int) -> Finding:
    """Check that there are no dead letters; `letters` are the oldest, up to `most`."""
    if not letters:
        return passed(EMPTY, "there are none")
    number = f"{len(letters)} or more" if len(letters) == most else str(len(letters))
    reasons = Counter(letter.reason for letter in letters)
    told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(5))
    return failed(
        EMPTY,
        f"{number} ({told}), the oldest for {age(letters[0].age(datetime.now(UTC)))}",
        _dead_letter_remedy(sorted(reasons), deployment),
    )


def _dead_letter_remedy(reasons: list[str], deployment: Deployment) -> str:
    """Return how to deal with dead letters: malformed ones can only be purged, others replayed."""
    told = [f"see them with `{deployment.command('dlq', 'list')}`"]
    for reason in sorted(reasons, key=MALFORMED.__contains__):
        if reason in MALFORMED:
            purge = deployment.command("dlq", "purge", "--reason", reason)
            told.append(f"no replay can succeed for {reason}: `{purge}` deletes it")
        else:
            when = "the route is applied" if reason == UNKNOWN_ROUTE else "what failed is mended"
            replay = deployment.command("dlq", "replay", "--reason", reason)
            told.append(f"once {when}, `{replay}` replays those of {reason}")
    return "; ".join(told) + ". After 31 days they are gone"
