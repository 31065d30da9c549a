"""The laptop stack's webhook, registered at its own simulator."""

from collections.abc import Awaitable, Callable
from typing import Literal

from localcloud.gemini import Gemini
from localcloud.gemini.catalogue import SUBSCRIBABLE

Revocation = Literal["revoke_previous_secrets_after_h24", "revoke_previous_secrets_immediately"]

API_KEY = "laptop"
"""The simulator takes any key; this one is nobody's."""

_NAME = "laptop"

KeepSecret = Callable[[str], Awaitable[None]]
"""Stores a signing secret, `whsec_…`, where the receiver finds it."""


class LaptopWebhook:
    """The webhook registered at `gemini` under `identifier`."""

    def __init__(self, gemini: Gemini, identifier: str, keep_secret: KeepSecret) -> None:
        self.id = identifier
        self._gemini = gemini
        self._keep_secret = keep_secret

    async def rotate(self, revocation: Revocation = "revoke_previous_secrets_after_h24") -> None:
        """Have Gemini make a new signing secret, and keep it."""
        await self._keep_secret(self._gemini.webhooks.rotate(self.id, revocation)["secret"])


async def register(gemini: Gemini, uri: str, keep_secret: KeepSecret) -> LaptopWebhook:
    """Register `uri` for every event that can be subscribed to, and keep the signing secret.

    A webhook that the simulator has kept since an earlier run is used as it is, and led to `uri`.
    """
    identifier = _kept(gemini, uri)
    if not identifier:
        request = {"name": _NAME, "uri": uri, "subscribed_events": [*SUBSCRIBABLE]}
        created = gemini.webhooks.create(request)
        await keep_secret(created["new_signing_secret"])
        identifier = created["id"]
    return LaptopWebhook(gemini, identifier, keep_secret)


def _kept(gemini: Gemini, uri: str) -> str:
    """Return the id of the webhook of an earlier run, whose address may be another; or nothing."""
    ours = [each for each in gemini.webhooks if each.uri == uri]
    ours += [each for each in gemini.webhooks if each.name == _NAME]
    if ours and ours[0].uri != uri:
        gemini.webhooks.update(ours[0].id, {"uri": uri}, "uri")
    return ours[0].id if ours else ""
