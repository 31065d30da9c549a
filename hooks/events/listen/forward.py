"""Sending one event to a URL as Pub/Sub pushes it, and what came of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.pubsub_v1 import types
from rich.text import Text

from hooks.display import fitting
from hooks.subscription import Received
from localcloud.core.clock import Clock
from localcloud.pubsub.envelope import push_request
from localcloud.pubsub.lease import Entry, Lease
from localcloud.pubsub.messages import Message, PubsubMessage
from localcloud.pubsub.push import ACKNOWLEDGING, IdentityToken
from localcloud.pubsub.sender import PushFailedError, Sender

ANSWER_SECONDS = 60.0
"""How long the URL may take, which is what a subscription that Terraform creates allows."""

_Subscription = types.Subscription.pb()
_TYPE_WIDTH = 27


@dataclass(frozen=True)
class Answer:
    """The answer to one attempt, `status` None if there was none; `error` says why.

    `begun` is in Unix seconds, and `seconds` is how long it took.
    """

    message: Received
    attempt: int
    begun: float
    seconds: float
    status: int | None
    error: str = ""

    @property
    def accepted(self) -> bool:
        """Whether Pub/Sub would count the event as acknowledged."""
        return self.status in ACKNOWLEDGING

    def facts(self) -> dict[str, Any]:
        """Return the answer for JSON output; the time is RFC 3339 in UTC."""
        return {
            "time": datetime.fromtimestamp(self.begun, UTC).isoformat(timespec="milliseconds"),
            "type": self.message.type,
            "id": self.message.id,
            "message_id": self.message.message_id,
            "attempt": self.attempt,
            "status": self.status,
            "error": self.error,
            "accepted": self.accepted,
            "milliseconds": round(self.seconds * 1000),
        }


class Forwarder:
    """Posts events to `url` as a push subscription of a `project` does.

    The bearer token has the claims of Google's, `url` as its audience, and no signature that
    anybody could verify.
    """

    def __init__(
        self, url: str, project: str, token: IdentityToken, sender: Sender, clock: Clock
    ) -> None:
        self.url = url
        self.project = project
        self._token = token
        self._sender = sender
        self._clock = clock

    async def forward(self, message: Received, attempt: int) -> Answer:
        """Post an event, and return the answer, or that there was none in `ANSWER_SECONDS`."""
        pusher = f"hooks-listen@{self.project}.iam.gserviceaccount.com"
        subscription = _Subscription(name=f"projects/{self.project}/subscriptions/hooks-listen")
        subscription.push_config.push_endpoint = self.url
        lease = Lease("", Entry(_stored(message)), attempt, lambda _lease: None)
        request = push_request(subscription, lease, self._token(pusher, self.url))
        begun = self._clock.time()

        def answered(status: int | None, error: str = "") -> Answer:
            taken = max(0.0, self._clock.time() - begun)
            return Answer(message, attempt, begun, taken, status, error)

        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return answered(await self._sender(request))
        except PushFailedError as error:
            return answered(None, str(error) or "no connection")
        except TimeoutError:
            return answered(None, f"nothing in {ANSWER_SECONDS:g} s")


def _stored(message: Received) -> Message:
    proto = PubsubMessage(
        data=message.data, attributes=dict(message.attributes), message_id=message.message_id
    )
    proto.publish_time.FromDatetime(message.published)
    return Message.of(proto)


def row(answer: Answer, width: int) -> Text:
    """Return an answer in one line: time, type, id, status and duration.

    If they do not fit, the first of time, attempt, reason and duration to be left out is the last
    of: id, status, type, duration, time, attempt, reason. The id and the status stay.
    """
    message = answer.message
    parts = {
        "id": message.id,
        "status": str(answer.status or "no answer"),
        "type": f"{message.type or '-':<{_TYPE_WIDTH}}",
        "duration": f"{answer.seconds * 1000:.0f} ms",
        "time": f"{datetime.fromtimestamp(answer.begun, UTC):%H:%M:%S}",
        "attempt": f"attempt {answer.attempt}" if answer.attempt > 1 else "",
        "reason": answer.error,
    }
    present = {name: text for name, text in parts.items() if text}
    names = list(present)
    kept = {names[each] for each in fitting([len(text) for text in present.values()], width, 1)}
    kept |= {"id", "status"}
    style = {"status": "green" if answer.accepted else "yellow", "type": "bold", "time": "dim"}
    shown = [
        Text(present[name], style.get(name, ""))
        for name in ("time", "type", "id", "status", "duration", "attempt", "reason")
        if name in kept and name in present
    ]
    return Text(" ").join(shown)


OnAnswer = Callable[[Answer], None]
"""Called with each answer."""
