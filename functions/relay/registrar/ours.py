"""Which of the webhooks at Gemini is ours."""

from collections.abc import Sequence

from relay.gemini.webhooks import GeminiWebhooks, Webhook
from relay.registrar.plan import alike, listed


async def ours(
    gemini: GeminiWebhooks, webhooks: Sequence[Webhook], webhook_id: str, uri: str
) -> Webhook | None:
    """Return our webhook: the one with the id that we know, else the first with our URI, or None.

    `webhooks` are those that Gemini lists, which may lag behind our own state.
    """
    known = listed(webhooks, webhook_id)
    if known is None and webhook_id:
        known = await gemini.find(webhook_id)
    return known or next(iter(alike(webhooks, uri)), None)
