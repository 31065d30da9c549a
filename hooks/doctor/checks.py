"""The checks of `hooks doctor`: each looks at one thing from outside, and says what is wrong.

None of them raises for what it finds. Clients are passed in.
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
from hooks.deadletter import DeadLetter
from hooks.display import age
from hooks.doctor.findings import Finding, failed, passed, skipped
from hooks.doctor.webhook_source import WebhookSource
from hooks.errors import HooksError
from hooks.subscription import Received
from hooks.webhook.states import ENABLED, explain
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
    source: WebhookSource, url: str
) -> tuple[tuple[Finding, Finding], Webhook | None]:
    """Look whether a webhook points at `url` and is enabled; return it where it does."""
    try:
        webhook = await source.webhook()
    except HooksError as error:
        return _unknown(str(error)), None
    if webhook is None:
        return _absent(url), None
    events = ", ".join(sorted(webhook.events)) or "nothing"
    there = passed(REGISTERED, f"{webhook.id} at {webhook.uri}, subscribed to {events}")
    if webhook.uri.rstrip("/") != url.rstrip("/"):
        there = failed(
            REGISTERED,
            f"{webhook.id} points at {webhook.uri}, not at {url}",
            "the registrar mends that within a minute: see its log; or `hooks webhook update`",
        )
    return (there, state(webhook)), webhook


def state(webhook: Webhook) -> Finding:
    """Say whether a webhook's state lets Gemini deliver, and how to leave it if it does not."""
    meaning, remedy = explain(webhook.state, webhook.id)
    if webhook.state == ENABLED:
        return passed(STATE, "its state is enabled")
    return failed(STATE, f"its state is {webhook.state or 'not told'}: {meaning}", remedy)


def _unknown(reason: str) -> tuple[Finding, Finding]:
    remedy = (
        "check that the API key (GEMINI_API_KEY) is of the project whose webhooks these are, or"
        " that the identity token (REGISTRAR_IDENTITY_TOKEN) is fresh and may invoke the registrar"
    )
    return failed(REGISTERED, reason, remedy), skipped(STATE, "its state is not known")


def _absent(url: str) -> tuple[Finding, Finding]:
    remedy = (
        "a deployment's registrar registers it within a minute: its log says why it did not;"
        " by hand, `hooks webhook create` does"
    )
    return (
        failed(REGISTERED, f"Gemini has no webhook at {url}", remedy),
        skipped(STATE, "there is no webhook"),
    )


async def answers(client: httpx2.AsyncClient, url: str) -> Finding:
    """Look whether the receiver answers a health check."""
    try:
        answer = await client.get(url)
    except httpx2.HTTPError as error:
        return failed(ANSWERS, f"GET {url}: {type(error).__name__} {error}".strip(), _UNREACHABLE)
    if answer.status_code != httpx2.codes.OK:
        return failed(ANSWERS, f"GET {url} answered {answer.status_code}", _UNREACHABLE)
    return passed(ANSWERS, f"GET {url} answered 200")


async def refuses(client: httpx2.AsyncClient, url: str) -> Finding:
    """Look whether a delivery with a made-up signature is refused, and with 401."""
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
    """Return headers that are right in form and in time, with a signature by nobody's secret."""
    return {
        "content-type": "application/json",
        "webhook-id": f"hooks-doctor-{secrets.token_hex(8)}",
        "webhook-timestamp": str(int(time.time())),
        "webhook-signature": f"v1,{base64.b64encode(os.urandom(32)).decode()}",
    }


def _not_refused(status: int) -> str:
    if status < httpx2.codes.MULTIPLE_CHOICES:
        return (
            "whatever answers there takes what anybody sends: it is not the receiver, or something"
            " answers in its place. Treat every event since as untrusted"
        )
    if status == httpx2.codes.SERVICE_UNAVAILABLE:
        return (
            "the receiver cannot have its keys: look at its log; the signing secret needs an"
            " enabled version, and the receiver's identity the right to read it"
        )
    if status == httpx2.codes.FORBIDDEN:
        return _UNREACHABLE
    return "something in front of the receiver, or in its place, answers: compare the address"


class Journey:
    """A ping on its way, watched at the ingress topic and at the events topic.

    `glob` says which types of event are pings, `seconds` how long one may take.
    """

    def __init__(
        self,
        ingress: AsyncIterator[Received],
        events: AsyncIterator[Received],
        *,
        glob: str,
        seconds: float,
    ) -> None:
        self._topics = {"ingress": ingress, "events": events}
        self._glob = glob
        self._seconds = seconds
        self._seen: set[str] = set()

    async def check(self, source: WebhookSource, webhook: Webhook) -> Finding:
        """Have Gemini send a ping, and look how far it gets."""
        try:
            await source.ping(webhook)
        except HooksError as error:
            return failed(PING, f"no ping was sent: {error}", "enable the webhook, and try again")
        arrived = asyncio.create_task(self._wait("events"))
        stored = asyncio.create_task(self._wait("ingress"))
        try:
            async with asyncio.timeout(self._seconds):
                ping = await arrived
        except TimeoutError:
            return self._lost()
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

    def _lost(self) -> Finding:
        within = f"within {self._seconds:.0f} s"
        if "ingress" in self._seen:
            return failed(
                PING,
                f"it was verified and stored, but did not reach the events topic {within}",
                "the dispatcher does not get it, or cannot finish: look at its log, at the ingress"
                " subscription's oldest message, and at `hooks events list --state claimed`",
            )
        return failed(
            PING,
            f"no {self._glob} reached the ingress topic {within}",
            "Gemini did not deliver it, or the receiver refused it: look at the receiver's log for"
            " refused signatures (is the newest signing secret stored? `hooks webhook rotate` makes"
            " and stores another), and whether Gemini can reach the address; --wait waits longer",
        )


def _type(message: Received) -> str:
    return message.attributes.get("ce-type") or body_type(message.data)


def empty(letters: list[DeadLetter], *, most: int) -> Finding:
    """Judge the dead letters that were found, oldest first; `most` were looked for."""
    if not letters:
        return passed(EMPTY, "there are none")
    number = f"{len(letters)} or more" if len(letters) == most else str(len(letters))
    reasons = Counter(letter.reason for letter in letters)
    told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(5))
    return failed(
        EMPTY,
        f"{number} ({told}), the oldest for {age(letters[0].age(datetime.now(UTC)))}",
        "see them with `hooks dlq list` and `hooks dlq show ID`; once what failed is mended,"
        " `hooks dlq replay --all` sends them back. After 31 days they are gone",
    )
