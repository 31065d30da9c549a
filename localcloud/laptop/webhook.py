"""The laptop stack's webhook, registered at the simulator with Google's own SDK."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal

from google import genai

from localcloud.gemini.catalogue import SUBSCRIBABLE

Revocation = Literal["revoke_previous_secrets_after_h24", "revoke_previous_secrets_immediately"]

API_KEY = "laptop"
"""The simulator takes any key; this one is nobody's."""

KeepSecret = Callable[[str], Awaitable[None]]
"""Stores a signing secret, `whsec_…`, where the receiver finds it."""


class LaptopWebhook:
    """A registered webhook, by its `id`, and the SDK's `client` that registered it."""

    def __init__(self, client: genai.Client, identifier: str, keep_secret: KeepSecret) -> None:
        self.client = client
        self.id = identifier
        self._keep_secret = keep_secret

    async def rotate(self, revocation: Revocation = "revoke_previous_secrets_after_h24") -> None:
        """Have Gemini make a new signing secret, and keep it."""
        reply = await self.client.aio.webhooks.rotate_signing_secret(
            id=self.id, revocation_behavior=revocation
        )
        await self._keep_secret(str(reply.secret))


@contextlib.asynccontextmanager
async def registered(
    gemini_url: str, uri: str, keep_secret: KeepSecret
) -> AsyncIterator[LaptopWebhook]:
    """Register `uri` for every event that can be subscribed to, and keep the signing secret.

    The SDK's client is closed with the block. Its retries are off: what it sends again after an
    error may have been done the first time.
    """
    options = genai.types.HttpOptions(
        base_url=gemini_url, retry_options=genai.types.HttpRetryOptions(attempts=1)
    )
    events: list[Any] = list(SUBSCRIBABLE)
    client = genai.Client(api_key=API_KEY, http_options=options)
    try:
        webhook = await client.aio.webhooks.create(name="laptop", uri=uri, subscribed_events=events)
        await keep_secret(str(webhook.new_signing_secret))
        yield LaptopWebhook(client, str(webhook.id), keep_secret)
    finally:
        await client.aio.aclose()
