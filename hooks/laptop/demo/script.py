"""The deliveries of the demo, step by step."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from google import genai

from hooks.laptop.demo.narrator import Narrator
from localcloud.gemini.catalogue import SUBSCRIBABLE, TYPES
from localcloud.gemini.deliveries import Delivery
from localcloud.gemini.forge import Forgery
from localcloud.gemini.settings import Scheme
from localcloud.laptop.stack import Stack
from localcloud.laptop.webhook import API_KEY

MODEL = "gemini-3-flash-preview"
BLUE = {"team": "blue"}

ROUTES = json.dumps(
    [
        {
            "name": "blue",
            "types": ["batch.*"],
            "metadata": BLUE,
            "topic": "gemini-webhooks-route-blue",
        }
    ]
)
"""The one route of the demo, besides the events topic."""

FILTER = 'hasPrefix(attributes.ce-type, "interaction.") OR attributes.meta-team = "blue"'
"""The filter of the demo's subscriber."""

HOSTILE: Sequence[tuple[Forgery, Sequence[Scheme]]] = (
    ("bad-signature", ("v1", "v1a", "jwt")),
    ("wrong-key", ("v1", "v1a", "jwt")),
    ("tampered-body", ("v1", "v1a", "jwt")),
    ("old-timestamp", ("v1", "v1a", "jwt")),
    ("future-timestamp", ("v1", "v1a", "jwt")),
    ("unknown-version", ("v1",)),
    ("garbage-header", ("v1",)),
    ("missing-header", ("v1",)),
    ("unsigned-token", ("jwt",)),
)


class Script:
    """Has the simulator send the deliveries of the demo."""

    def __init__(
        self, stack: Stack, narrator: Narrator, arrived: Callable[[], Awaitable[None]]
    ) -> None:
        """`arrived` returns once the events of all deliveries so far have been heard."""
        self._arrived = arrived
        self._stack = stack
        self._gemini = stack.gemini
        self._narrator = narrator
        self._seen = 0

    async def play(self) -> None:
        """Run every step, each to its end: the answers, and the events behind them."""
        steps = (
            ("Jobs started with the SDK end", self._jobs),
            ("Every event type: static v1, dynamic v1a, dynamic JWT", self._catalogue),
            ("The signing secret is rotated; both secrets sign for a day", self._rotate),
            ("Some deliveries come again", self._repeats),
            ("Somebody forges, tampers, back-dates", self._hostile),
        )
        for title, step in steps:
            self._narrator.step(title)
            await step()
            await self._settle()
            await self._arrived()

    async def _settle(self) -> None:
        await self._gemini.courier.quiet()
        deliveries = list(self._gemini.account)
        for delivery in deliveries[self._seen :]:
            self._narrator.delivery(delivery)
        self._seen = len(deliveries)

    def _emit(self, event_type: str, scheme: Scheme, **more: Any) -> list[Delivery]:
        # A registered webhook signs v1; dynamic ones, which a job names itself, the rest.
        target = {"to": [self._stack.webhook.id]} if scheme == "v1" else {"uris": [self._uri]}
        return self._gemini.emit(event_type, scheme=scheme, **target, **more)

    @property
    def _uri(self) -> str:
        return self._stack.receive.url

    async def _jobs(self) -> None:
        options = genai.types.HttpOptions(
            base_url=self._stack.gemini_url,
            # What is sent again after an error may have been done the first time.
            retry_options=genai.types.HttpRetryOptions(attempts=1),
        )
        client = genai.Client(api_key=API_KEY, http_options=options)
        try:
            await self._start(client.aio)
        finally:
            await client.aio.aclose()

    async def _start(self, sdk: Any) -> None:
        dynamic = {"uris": [self._uri], "user_metadata": BLUE}
        jobs = self._gemini.jobs
        batch = await sdk.batches.create(model=MODEL, src="files/requests")
        jobs.batches.advance(jobs.batches.jobs.find(batch.name.rpartition("/")[2]), "succeeded")
        talk = await sdk.interactions.create(
            model=MODEL, input="Hello", background=True, webhook_config=dynamic
        )
        jobs.interactions.advance(jobs.interactions.jobs.find(talk.id), "completed")
        await sdk.webhooks.ping(id=self._stack.webhook.id)

    async def _catalogue(self) -> None:
        for event_type in SUBSCRIBABLE:
            # Like Gemini: to every webhook that subscribes to the type.
            self._gemini.emit(event_type)
        for event_type in TYPES:
            self._emit(event_type, "v1a", user_metadata=BLUE)
            self._emit(event_type, "jwt", user_metadata=BLUE)
        self._emit("something.new", "v1a")

    async def _rotate(self) -> None:
        await self._stack.webhook.rotate()
        self._emit("batch.succeeded", "v1", user_metadata=BLUE)
        self._emit("video.generated", "v1")

    async def _repeats(self) -> None:
        for scheme in ("v1", "v1a", "jwt"):
            self._emit("batch.failed", scheme, times=3)
        for earlier in list(self._gemini.account)[:4]:
            self._gemini.emit(
                earlier.event_type,
                scheme=earlier.scheme,
                body=earlier.message.body,
                webhook_id=earlier.message.webhook_id,
                **({"to": [earlier.webhook.id]} if earlier.webhook else {"uris": [earlier.uri]}),
            )

    async def _hostile(self) -> None:
        for forgery, schemes in HOSTILE:
            for scheme in schemes:
                self._emit("batch.succeeded", scheme, forgery=forgery)
