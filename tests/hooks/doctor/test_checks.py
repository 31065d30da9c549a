import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from hooks.deadletter import read
from hooks.deployment import Deployment
from hooks.doctor import checks
from hooks.doctor.checks import Journey
from hooks.doctor.findings import Finding
from hooks.errors import HooksError
from hooks.leases import LeasedMessage
from hooks.subscription import Received
from relay.gemini.webhooks import Webhook

NOW = datetime.now(UTC)
URL = "https://relay.example"
WEBHOOK = Webhook("wh_1", "", URL, frozenset({"batch.failed"}), "enabled")


DEPLOYMENT = Deployment(
    project="p",
    topics={},
    dead_letters="",
    database="",
    registrar_url="https://registrar.example",
    options=("--outputs", "d.json"),
)


class Source:
    """A source that has a webhook, or fails."""

    def __init__(self, webhook: Webhook | None = WEBHOOK, failure: str = "") -> None:
        self._webhook = webhook
        self._failure = failure

    async def webhook(self) -> Webhook | None:
        if self._failure:
            raise HooksError(self._failure)
        return self._webhook

    async def ping(self, webhook: Webhook) -> None:  # noqa: ARG002 - as in the protocol
        if self._failure:
            raise HooksError(self._failure)


async def stream(*messages: Received, then: BaseException | None = None) -> AsyncIterator[Received]:
    for message in messages:
        yield message
    if then:
        raise then
    await asyncio.Event().wait()


def message(kind: str, data: bytes = b"{}", **attributes: str) -> Received:
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    given = {"ce-type": kind} if kind else {}
    return Received("1", data, given | named, NOW)


async def travelled(ingress: Any, events: Any, **options: Any) -> Finding:
    journey = Journey(
        ingress, events, glob="*ping*", seconds=options.pop("seconds", 30), deployment=DEPLOYMENT
    )
    return await journey.check(Source(**options), WEBHOOK)


async def test_a_ping_among_other_events_is_found() -> None:
    others = message("batch.failed"), message("webhook.ping", ce_id="evt_1")
    finding = await travelled(stream(), stream(*others))
    assert (finding.status, finding.detail) == ("ok", "webhook.ping arrived as evt_1")


async def test_a_lost_ping_is_located() -> None:
    stored = message("", b'{"type": "webhook.ping"}')
    finding = await travelled(stream(stored), stream(message("batch.failed")), seconds=0.05)
    assert finding.status == "failed"
    assert "dispatcher" in finding.remedy
    finding = await travelled(stream(message("batch.failed")), stream(), seconds=0.05)
    assert "did not deliver it, or the receiver refused it" in finding.remedy


async def test_a_ping_that_could_not_be_sent_or_heard_is_a_failure() -> None:
    finding = await travelled(stream(), stream(), failure="Gemini answered 403")
    assert "Gemini answered 403" in finding.detail
    finding = await travelled(stream(), stream(then=HooksError("broke off")))
    assert finding.detail == "broke off"


async def test_a_webhook_elsewhere_is_a_failure() -> None:
    (there, state), webhook = await checks.registered(Source(), "https://else.example/", DEPLOYMENT)
    assert there.status == "failed"
    assert "https://else.example/" in there.detail
    assert state.status == "ok"
    assert webhook == WEBHOOK
    (there, _), _ = await checks.registered(Source(), f"{URL}/", DEPLOYMENT)
    assert there.status == "ok"


@pytest.mark.parametrize("status", [200, 204, 302, 400, 403, 404, 500, 503])
async def test_any_answer_but_401_to_a_forgery_fails(status: int) -> None:
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(status))
    async with httpx2.AsyncClient(transport=transport) as client:
        finding = await checks.refuses(client, URL)
    assert finding.status == "failed"
    assert str(status) in finding.detail
    assert finding.remedy


async def test_a_forgery_is_well_formed() -> None:
    seen: list[httpx2.Request] = []

    def refuse(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(401)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(refuse)) as client:
        assert (await checks.refuses(client, URL)).status == "ok"
        await checks.refuses(client, URL)
    first, second = (request.headers for request in seen)
    assert first["webhook-signature"].startswith("v1,")
    assert first["webhook-timestamp"].isdecimal()
    assert first["webhook-id"] != second["webhook-id"]
    assert first["webhook-signature"] != second["webhook-signature"]


def test_dead_letters_are_told_by_their_reasons() -> None:
    published = datetime.now(UTC) - timedelta(hours=2)
    letters = [
        read(LeasedMessage("a", str(number), b"", {"reason": reason}, published))
        for number, reason in enumerate(["not-json", "no-type", "not-json"])
    ]
    assert checks.empty([], DEPLOYMENT, most=3).status == "ok"
    few, many = (checks.empty(letters, DEPLOYMENT, most=most) for most in (9, 3))
    assert few.detail == "3 (2 not-json, 1 no-type), the oldest for 2h 0m"
    assert many.detail.startswith("3 or more")


def test_poison_is_purged_and_exhausted_dead_letters_are_replayed() -> None:
    reasons = ["not-json", "attempts-exhausted"]
    letters = [read(LeasedMessage("a", "1", b"", {"reason": each}, NOW)) for each in reasons]
    poison = checks.empty(letters[:1], DEPLOYMENT, most=9).remedy
    assert "`hooks dlq purge --reason not-json --outputs d.json`" in poison
    assert "replay --" not in poison
    both = checks.empty(letters, DEPLOYMENT, most=9).remedy
    assert "`hooks dlq replay --reason attempts-exhausted --outputs d.json`" in both
    assert "`hooks dlq purge --reason not-json --outputs d.json`" in both


@pytest.mark.parametrize(
    ("reason", "when"),
    [
        ("unknown-route", "once the route is applied"),
        ("expired", "once what failed is mended"),
        ("not-fetchable", "once what failed is mended"),
        ("publish-refused", "once what failed is mended"),
    ],
)
def test_what_a_replay_can_mend_is_not_to_be_purged(reason: str, when: str) -> None:
    letter = read(LeasedMessage("a", "1", b"", {"reason": reason}, NOW))
    remedy = checks.empty([letter], DEPLOYMENT, most=9).remedy
    assert f"{when}, `hooks dlq replay --reason {reason} --outputs d.json`" in remedy
    assert "purge" not in remedy


TOKEN = "REGISTRAR_IDENTITY_TOKEN=$(gcloud auth print-identity-token)"


async def test_remedies_are_complete_commands_through_the_registrar() -> None:
    (_, disabled), _ = await checks.registered(
        Source(replace(WEBHOOK, state="disabled")), URL, DEPLOYMENT
    )
    assert f"`{TOKEN} hooks webhook update wh_1 --state enabled --outputs d.json`" in (
        disabled.remedy
    )
    (absent, _), _ = await checks.registered(Source(None), URL, DEPLOYMENT)
    assert f"`{TOKEN} hooks webhook apply --outputs d.json`" in absent.remedy
    (elsewhere, _), _ = await checks.registered(Source(), "https://else.example", DEPLOYMENT)
    assert f"`{TOKEN} hooks webhook apply --outputs d.json`" in elsewhere.remedy
    lost = await travelled(stream(), stream(), seconds=0.05)
    assert f"`{TOKEN} hooks webhook rotate --outputs d.json`" in lost.remedy
