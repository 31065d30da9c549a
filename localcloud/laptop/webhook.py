"""The laptop stack's webhook, registered at the simulator with Google's own SDK."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal

from google import genai

from localcloud.gemini.catalogue import SUBSCRIBABLE

Revocation = Literal["revoke_previous_secrets_after_h24", "revoke_previous_secrets_immediately"]

API_KEY = "laptop"
"""The simulator takes any key; this one is nobody's."""

_NAME = "laptop"

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

    A webhook that the simulator has kept since an earlier run is used as it is, and led to `uri`.
    The SDK's client is closed with the block. Its retries are off: what it sends again after an
    error may have been done the first time.
    """
    options = genai.types.HttpOptions(
        base_url=gemini_url, retry_options=genai.types.HttpRetryOptions(attempts=1)
    )
    client = genai.Client(api_key=API_KEY, http_options=options)
    try:
        identifier = await _kept(client, uri) or await _created(client, uri, keep_secret)
        yield LaptopWebhook(client, identifier, keep_secret)
    finally:
        await client.aio.aclose()


async def _kept(client: genai.Client, uri: str) -> str:
    """Return the id of the webhook of an earlier run, whose address may be another; or nothing."""
    webhooks = (await client.aio.webhooks.list(page_size=1000)).webhooks or []
    ours = [each for each in webhooks if each.uri == uri]
    ours += [each for each in webhooks if each.name == _NAME]
    if ours and ours[0].uri != uri:
        await client.aio.webhooks.update(id=str(ours[0].id), uri=uri)
    return str(ours[0].id) if ours else ""


async def _created(client: genai.Client, uri: str, keep_secret: KeepSecret) -> str:
    events: list[Any] = list(SUBSCRIBABLE)
    webhook = await client.aio.webhooks.create(name=_NAME, uri=uri, subscribed_events=events)
    await keep_secret(str(webhook.new_signing_secret))
    return str(webhook.id)
