"""Genuine deliveries, sent beside the attacks, one after another as Gemini would."""

import asyncio
import json
import time
from collections import Counter
from typing import Any

import httpx2

from tests.hostile.attacks import EVENT
from tests.hostile.signers import Signer

PREFIX = "honest-"
"""Every id of theirs begins so, and none of an attack's."""

_RETRIES = 5


class Honest:
    """Sends one delivery after another in every scheme until told to stop.

    `answers` counts first attempts by status. A 503 is tried again, as Gemini does: `stored` are
    the ids that were acknowledged, `failed` those that were not.
    """

    def __init__(self, url: str, signer: Signer, pause: float) -> None:
        self._url = url
        self._signer = signer
        self._pause = pause
        self.answers: Counter[str] = Counter()
        self.stored: set[str] = set()
        self.failed: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set."""
        number = 0
        async with httpx2.AsyncClient(timeout=60.0, trust_env=False) as client:
            while not stop.is_set():
                number += 1
                scheme = ("v1", "v1a", "jwt")[number % 3]
                await self._deliver(client, f"{PREFIX}{number}", scheme)
                await asyncio.sleep(self._pause)

    async def _deliver(self, client: httpx2.AsyncClient, identifier: str, scheme: str) -> None:
        for attempt in range(_RETRIES):
            status = await self._attempt(client, identifier, scheme)
            if attempt == 0:
                self.answers[status] += 1
            if status == "200":
                self.stored.add(identifier)
                return
            if status != "503":
                break
            await asyncio.sleep(0.2)
        self.failed.add(identifier)

    async def _attempt(self, client: httpx2.AsyncClient, identifier: str, scheme: str) -> str:
        body = json.dumps({**EVENT, "honest": identifier}).encode()
        timestamp = str(int(time.time()))
        content = f"{identifier}.{timestamp}.".encode() + body
        headers = {
            "webhook-id": identifier,
            "webhook-timestamp": timestamp,
            "webhook-signature": self._signature(scheme, identifier, content, body).decode(),
        }
        try:
            return str((await client.post(self._url, content=body, headers=headers)).status_code)
        except httpx2.HTTPError as error:
            return type(error).__name__

    def _signature(self, scheme: str, identifier: str, content: bytes, body: bytes) -> bytes:
        if scheme == "v1":
            return self._signer.v1(content)
        if scheme == "v1a":
            return self._signer.v1a(content)
        return self._signer.token(identifier, {**json.loads(body), "jti": identifier})


def honest_id(message: Any) -> str:
    """Return the id that an honest delivery has in its body, else the message's `webhook-id`."""
    event = json.loads(message.data) if message.attributes["scheme"] == "jwt" else {}
    return str(event.get("honest", message.attributes["webhook-id"]))
