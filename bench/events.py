"""Events for the dispatcher: the push requests, and what it writes and publishes for them."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request

from bench import load
from relay.dispatcher import claims, event
from relay.dispatcher.claims import DONE, Terms
from relay.web.push import PushedMessage

_TERMS = Terms()


def message(number: int) -> PushedMessage:
    """Return an ingress message as the receiver publishes it."""
    attributes = {
        "webhook-id": f"msg_{number:024d}",
        "webhook-timestamp": "1769083200",
        "scheme": "v1",
        "dedup-key": f"msg_{number:024d}",
        "received-at": "2026-01-22T12:00:00.000Z",
    }
    return PushedMessage(load.body(number), attributes, str(number), "2026-01-22T12:00:00.1Z", 1)


def envelope(pushed: PushedMessage) -> bytes:
    """Return the body of the push request for a message."""
    wrapped = {
        "message": {
            "data": base64.b64encode(pushed.data).decode(),
            "attributes": pushed.attributes,
            "messageId": pushed.message_id,
            "publishTime": pushed.publish_time,
        },
        "subscription": "projects/bench-project/subscriptions/ingress",
        "deliveryAttempt": pushed.delivery_attempt,
    }
    return json.dumps(wrapped).encode()


def request(body: bytes) -> Request:
    """Return the request that a server would pass to the function."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)


@dataclass(frozen=True)
class Item:
    """One event, prepared for every kind of work."""

    push: bytes
    document: str
    fields: Mapping[str, Any]
    ended: Mapping[str, Any]
    data: bytes
    attributes: Mapping[str, str]


def prepare(number: int, now: datetime) -> Item:
    """Return an event with what the dispatcher writes and publishes for it."""
    pushed = message(number)
    read = event.read(pushed, source="//generativelanguage.googleapis.com/projects/bench-project")
    return Item(
        push=envelope(pushed),
        document=claims.document_id(read.key),
        fields=claims.first_claim(read, "0" * 32, now, _TERMS),
        ended=claims.ended(DONE, ["events"], now, _TERMS),
        data=read.data,
        attributes=read.attributes,
    )
