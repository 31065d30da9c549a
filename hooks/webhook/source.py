"""A deployment's webhook, asked of Gemini or of the deployment's registrar."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import httpx2

from hooks.deployment import Deployment
from hooks.errors import HooksError, UsageError
from hooks.registrar import TOKEN, Registrar, no_access
from localcloud.laptop.webhook import API_KEY
from relay.errors import GeminiRefused
from relay.gemini.webhooks import GeminiWebhooks, Webhook

_ABSENT = "absent"


class WebhookSource(Protocol):
    """A deployment's webhook. Both methods raise `HooksError` with the reason."""

    async def webhook(self) -> Webhook | None:
        """Return the webhook, or None if none is registered."""
        ...

    async def ping(self, webhook: Webhook) -> None:
        """Have Gemini deliver a test event."""
        ...


class AtGemini:
    """Asks Gemini for the webhook of a URI."""

    def __init__(self, service: GeminiWebhooks, uri: str) -> None:
        self._service = service
        self._uri = uri

    async def webhook(self) -> Webhook | None:
        """Return the webhook, or None if none is registered."""
        try:
            webhooks = await self._service.all()
        except GeminiRefused as refused:
            raise HooksError(refused.reason) from None
        ours = [each for each in webhooks if each.uri.rstrip("/") == self._uri.rstrip("/")]
        # Of several, an enabled one.
        return min(ours, key=lambda each: each.state != "enabled", default=None)

    async def ping(self, webhook: Webhook) -> None:
        """Have Gemini deliver a test event."""
        try:
            await self._service.ping(webhook.id)
        except GeminiRefused as refused:
            raise HooksError(refused.reason) from None


class AtRegistrar:
    """Asks a deployment's registrar."""

    def __init__(self, registrar: Registrar) -> None:
        self._registrar = registrar

    async def webhook(self) -> Webhook | None:
        """Return the webhook, or None if none is registered."""
        report = await self._registrar.call("GET", "/webhook")
        if report.get("state") == _ABSENT:
            return None
        return Webhook(
            id=str(report.get("id", "")),
            name="",
            uri=str(report.get("uri", "")),
            events=frozenset(map(str, report.get("events") or ())),
            state=str(report.get("state", "")),
        )

    async def ping(self, webhook: Webhook) -> None:  # noqa: ARG002 - it has one webhook
        """Have Gemini deliver a test event."""
        await self._registrar.call("POST", "/ping")


@contextlib.asynccontextmanager
async def webhook_source(
    deployment: Deployment,
    url: str,
    environ: Mapping[str, str],
    http: httpx2.AsyncClient,
    command: str,
) -> AsyncIterator[WebhookSource]:
    """Give the source of the webhook at `url`, for `command`.

    `environ` may hold `REGISTRAR_IDENTITY_TOKEN`, else `GEMINI_API_KEY`; raises `UsageError` if
    neither is there.
    """
    token = environ.get(TOKEN, "")
    if token and deployment.registrar_url:
        yield AtRegistrar(Registrar(http, deployment.registrar_url, token))
        return
    key = API_KEY if deployment.local else environ.get("GEMINI_API_KEY", "")
    if not key:
        raise UsageError(no_access(deployment, command))
    base_url = deployment.gemini_url or environ.get("GOOGLE_GEMINI_BASE_URL") or None
    service = GeminiWebhooks(api_key=key, base_url=base_url)
    try:
        yield AtGemini(service, url)
    finally:
        await service.close()
