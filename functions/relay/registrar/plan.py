"""Decisions about webhooks: which one is ours, and what of it differs from what it should be."""

from collections.abc import Iterable
from typing import Any

from relay.gemini.webhooks import Webhook, same_uri
from relay.registrar.settings import Settings

ENABLED = "enabled"


def listed(webhooks: Iterable[Webhook], identifier: str) -> Webhook | None:
    """Return the webhook with that id, or None; an empty id matches none."""
    return next((each for each in webhooks if identifier and each.id == identifier), None)


def alike(webhooks: Iterable[Webhook], uri: str, but: str = "") -> tuple[Webhook, ...]:
    """Return the webhooks with our URI, except the one whose id is `but`.

    Every webhook with our URI is ours: the reply to its creation was lost.
    """
    return tuple(each for each in webhooks if same_uri(each.uri, uri) and each.id != but)


def differences(webhook: Webhook, settings: Settings) -> dict[str, Any]:
    """Return the fields to change, with their values; none where the webhook is as it should be."""
    wanted: dict[str, Any] = {}
    if webhook.name != settings.name:
        wanted["name"] = settings.name
    if not same_uri(webhook.uri, settings.uri):
        wanted["uri"] = settings.uri
    if webhook.events != frozenset(settings.events):
        wanted["subscribed_events"] = list(settings.events)
    if webhook.state != ENABLED:
        wanted["state"] = ENABLED
    return wanted
