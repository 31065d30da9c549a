"""The webhook as Gemini has it: asked of Gemini itself, or of a deployment's registrar."""

from collections.abc import Mapping
from typing import Any, Protocol

import httpx2

from hooks.errors import HooksError
from relay.errors import GeminiRefused
from relay.gemini.webhooks import GeminiWebhooks, Webhook

_ABSENT = "absent"


class WebhookSource(Protocol):
    """A deployment's webhook. Both methods raise `HooksError` with the reason."""

    async def webhook(self) -> Webhook | None:
        """Return the webhook, or None where none is registered."""
        ...

    async def ping(self, webhook: Webhook) -> None:
        """Have Gemini deliver a test event."""
        ...


class AtGemini:
    """Asks Gemini for the webhook of a uri; takes an API key."""

    def __init__(self, service: GeminiWebhooks, uri: str) -> None:
        self._service = service
        self._uri = uri

    async def webhook(self) -> Webhook | None:
        """Return the webhook, or None where none is registered."""
        try:
            webhooks = await self._service.all()
        except GeminiRefused as refused:
            raise HooksError(refused.reason) from None
        ours = [each for each in webhooks if each.uri.rstrip("/") == self._uri.rstrip("/")]
        # Of several, one that delivers.
        return min(ours, key=lambda each: each.state != "enabled", default=None)

    async def ping(self, webhook: Webhook) -> None:
        """Have Gemini deliver a test event."""
        try:
            await self._service.ping(webhook.id)
        except GeminiRefused as refused:
            raise HooksError(refused.reason) from None


class AtRegistrar:
    """Asks the registrar at `url`; takes an identity token that may invoke it."""

    def __init__(self, client: httpx2.AsyncClient, url: str, token: str) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"}

    async def webhook(self) -> Webhook | None:
        """Return the webhook, or None where none is registered."""
        report = await self._call("GET", "/webhook")
        if report.get("state") == _ABSENT:
            return None
        return Webhook(
            id=str(report.get("id", "")),
            name="",
            uri=str(report.get("uri", "")),
            events=frozenset(map(str, report.get("events") or ())),
            state=str(report.get("state", "")),
        )

    async def ping(self, webhook: Webhook) -> None:  # noqa: ARG002 - it knows its own
        """Have Gemini deliver a test event."""
        await self._call("POST", "/ping")

    async def _call(self, method: str, path: str) -> Mapping[str, Any]:
        try:
            answer = await self._client.request(method, f"{self._url}{path}", headers=self._headers)
            body = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise HooksError(
                f"the registrar gave no usable answer ({type(error).__name__})"
            ) from None
        if not isinstance(body, Mapping):
            raise HooksError(f"the registrar gave no usable answer ({answer.status_code})")
        if answer.status_code != httpx2.codes.OK:
            raise HooksError(f"the registrar answered {answer.status_code}: {body.get('error')}")
        return body
