import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from hooks.errors import HooksError
from hooks.registrar import Registrar
from hooks.webhook.source import AtGemini, AtRegistrar
from relay.errors import GeminiRefused
from relay.gemini.webhooks import Webhook

REPORT = {"id": "wh_1", "uri": "https://r.example", "events": ["a"], "state": "enabled"}


class Gemini:
    """A WebhookService that has webhooks, or refuses everything."""

    def __init__(self, *webhooks: Webhook, refuses: bool = False) -> None:
        self.webhooks = list(webhooks)
        self.refuses = refuses
        self.pinged: list[str] = []

    async def all(self) -> list[Webhook]:
        if self.refuses:
            raise GeminiRefused("Gemini answered 403 to list: no")
        return self.webhooks

    async def ping(self, identifier: str) -> None:
        if self.refuses:
            raise GeminiRefused("Gemini answered 403 to ping: no")
        self.pinged.append(identifier)


def webhook(identifier: str, uri: str, state: str = "enabled") -> Webhook:
    return Webhook(identifier, "", uri, frozenset(), state)


def at_gemini(service: Gemini) -> AtGemini:
    return AtGemini(service, "https://r.example/")  # type: ignore[arg-type]


async def test_gemini_is_asked_for_the_webhook_of_the_uri() -> None:
    ours = webhook("b", "https://r.example")
    found = at_gemini(Gemini(webhook("a", "https://else.example"), ours))
    assert await found.webhook() == ours
    assert await at_gemini(Gemini()).webhook() is None


async def test_of_several_webhooks_an_enabled_one_is_chosen() -> None:
    off = webhook("a", "https://r.example", "disabled")
    on = webhook("b", "https://r.example")
    assert await at_gemini(Gemini(off, on)).webhook() == on
    assert await at_gemini(Gemini(off)).webhook() == off


async def test_a_ping_is_asked_for_by_id() -> None:
    service = Gemini()
    await at_gemini(service).ping(webhook("b", "https://r.example"))
    assert service.pinged == ["b"]


async def test_a_refusal_of_gemini_is_an_error() -> None:
    refused = at_gemini(Gemini(refuses=True))
    with pytest.raises(HooksError, match="403 to list"):
        await refused.webhook()
    with pytest.raises(HooksError, match="403 to ping"):
        await refused.ping(webhook("b", "x"))


@pytest.fixture
async def registrar() -> AsyncIterator[Callable[..., AtRegistrar]]:
    clients: list[httpx2.AsyncClient] = []

    def make(answer: Callable[[httpx2.Request], httpx2.Response]) -> AtRegistrar:
        client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
        clients.append(client)
        return AtRegistrar(Registrar(client, "https://registrar.example/", "token"))

    yield make
    for client in clients:
        await client.aclose()


async def test_the_registrar_is_asked_with_the_token(registrar: Any) -> None:
    seen: list[tuple[str, str, str]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append((request.method, str(request.url), request.headers["authorization"]))
        return httpx2.Response(200, json=REPORT if request.method == "GET" else {})

    asked = registrar(answer)
    found = await asked.webhook()
    assert found == Webhook("wh_1", "", "https://r.example", frozenset({"a"}), "enabled")
    await asked.ping(found)
    assert seen == [
        ("GET", "https://registrar.example/webhook", "Bearer token"),
        ("POST", "https://registrar.example/ping", "Bearer token"),
    ]


async def test_an_absent_webhook_is_none(registrar: Any) -> None:
    asked = registrar(lambda _request: httpx2.Response(200, json={"state": "absent"}))
    assert await asked.webhook() is None


def no_answer(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("refused", request=request)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (no_answer, "ConnectError"),
        (lambda _request: httpx2.Response(200, text="<html>"), "no usable answer"),
        (lambda _request: httpx2.Response(200, json=[]), "no usable answer"),
        (lambda _request: httpx2.Response(403, json={"error": "Only reading."}), "403: Only"),
        (lambda _request: httpx2.Response(502, content=json.dumps({}).encode()), "502"),
    ],
)
async def test_an_unusable_answer_of_the_registrar_is_an_error(
    registrar: Any, answer: Any, said: str
) -> None:
    with pytest.raises(HooksError, match=said):
        await registrar(answer).webhook()
