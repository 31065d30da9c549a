"""One Pub/Sub push request, in every form that a subscription can give it, and its answer.

- wrapped, the default: https://cloud.google.com/pubsub/docs/push#receive_push
- unwrapped with metadata written to the headers:
  https://cloud.google.com/pubsub/docs/payload-unwrapping
- CloudEvents of type `google.cloud.pubsub.topic.v1.messagePublished`, as Eventarc sends them, in
  binary and in structured mode:
  https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from relay.errors import Refused, Unavailable
from relay.log import log
from relay.web.body import read_body
from relay.web.identity import IdentityCheck
from relay.web.replies import Reply

# The largest body that a receiver may accept, in base64, a hundred attributes with every character
# escaped, and the envelope.
MAX_PUSH_BYTES = 4 << 20

_BODY_SECONDS = 10.0

SETTLED = Reply(204, b"")
UNAVAILABLE = Reply(503, b'{"error":"unavailable"}', {"Retry-After": "10"})
"""The answers to a push that leaves nothing to do, and to one that a retry may help."""

_REFUSALS = {
    400: Reply(400, b'{"error":"not a Pub/Sub push"}'),
    401: Reply(401, b'{"error":"unauthorized"}'),
    403: Reply(403, b'{"error":"forbidden"}'),
    405: Reply(405, b'{"error":"method not allowed"}', {"Allow": "POST"}),
    # Closed: the rest of a late body would be read as the next request.
    408: Reply(408, b'{"error":"request timeout"}', {"Connection": "close"}),
    413: Reply(413, b'{"error":"content too large"}'),
}

_PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"
_STRUCTURED = "application/cloudevents+json"
_SURROGATE = re.compile("[\ud800-\udfff]")
_URL_SAFE = str.maketrans("-_", "+/")

# The attributes of an ingress message, and those of an event that the collector reads. Unwrapped
# pushes mix them with the request's own headers, so they are listed here.
_ATTRIBUTES = (
    "ce-id",
    "webhook-id",
    "webhook-timestamp",
    "scheme",
    "dedup-key",
    "received-at",
    "traceparent",
    "replay",
    "replay-route",
    "dead-letter-replays",
)


class NotAPush(Refused):
    """The request holds no Pub/Sub message; `reason` says what is missing, for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, reason)


@dataclass(frozen=True)
class PushedMessage:
    """One message of a topic.

    `delivery_attempt` counts from 1, and is None where the subscription does not count.
    `publish_time` is RFC 3339 as Pub/Sub wrote it, or empty.
    """

    data: bytes
    attributes: Mapping[str, str]
    message_id: str = ""
    publish_time: str = ""
    delivery_attempt: int | None = None


async def answer_push(
    request: Request,
    identity: IdentityCheck | None,
    handle: Callable[[PushedMessage], Awaitable[Reply]],
) -> Reply:
    """Answer a push by what `handle` makes of its message; it may raise `Unavailable`.

    The caller must be one whom the check admits, where there is one.
    """
    try:
        return await handle(await _read(request, identity))
    except Refused as refused:
        log("WARNING", "push refused", reason=refused.reason)
        return _REFUSALS[refused.status]
    except Unavailable as failure:
        log("ERROR", "push put off", reason=failure.reason)
        return UNAVAILABLE


async def _read(request: Request, identity: IdentityCheck | None) -> PushedMessage:
    if request.method != "POST":
        raise Refused(405, "method")
    if identity:
        await identity.check(request.scope["headers"])
    body = await read_body(request, limit=MAX_PUSH_BYTES, timeout=_BODY_SECONDS)
    return parse(request.headers, body)


def parse(headers: Mapping[str, str], body: bytes) -> PushedMessage:
    """Return the message in a push request; header names are looked up in lower case.

    Raises `NotAPush`, whatever the bytes are.
    """
    if "x-goog-pubsub-message-id" in headers:
        return _unwrapped(headers, body)
    if _media_type(headers) == _STRUCTURED:
        return _structured(_object(body))
    if "ce-specversion" in headers and headers.get("ce-type") != _PUBLISHED:
        raise NotAPush("cloudevent-of-another-type")
    return _wrapped(_object(body))


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _object(body: bytes | str) -> Mapping[str, object]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise NotAPush("not-json") from None
    return _mapping(value, "not-an-object")


def _mapping(value: object, reason: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise NotAPush(reason)
    return value


def _structured(event: Mapping[str, object]) -> PushedMessage:
    if event.get("type") != _PUBLISHED:
        raise NotAPush("cloudevent-of-another-type")
    if "data_base64" in event:
        return _wrapped(_object(_base64(event["data_base64"])))
    return _wrapped(_mapping(event.get("data"), "no-message"))


def _wrapped(envelope: Mapping[str, object]) -> PushedMessage:
    message = _mapping(envelope.get("message"), "no-message")
    attributes = _attributes(message.get("attributes"))
    if not attributes and "data" not in message:
        raise NotAPush("empty-message")
    return PushedMessage(
        data=_base64(message.get("data", "")),
        attributes=attributes,
        message_id=_text(message, "messageId", "message_id"),
        publish_time=_text(message, "publishTime", "publish_time"),
        delivery_attempt=_count(envelope.get("deliveryAttempt")),
    )


def _attributes(value: object) -> Mapping[str, str]:
    entries = _mapping({} if value is None else value, "attributes-malformed")
    return {_utf8(name): _utf8(entry) for name, entry in entries.items()}


def _utf8(value: object) -> str:
    # JSON can escape a lone surrogate, which has no UTF-8 encoding.
    if not isinstance(value, str) or _SURROGATE.search(value):
        raise NotAPush("attributes-malformed")
    return value


def _text(message: Mapping[str, object], *names: str) -> str:
    return next((text for name in names if isinstance(text := message.get(name), str)), "")


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _base64(value: object) -> bytes:
    # Pub/Sub writes the standard alphabet; readers of protobuf's JSON take both, and no padding.
    # https://protobuf.dev/programming-guides/json/
    if not isinstance(value, str):
        raise NotAPush("data-malformed")
    try:
        text = value.translate(_URL_SAFE).encode("ascii").rstrip(b"=")
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise NotAPush("data-malformed") from None


def _unwrapped(headers: Mapping[str, str], body: bytes) -> PushedMessage:
    return PushedMessage(
        data=body,
        attributes={name: headers[name] for name in _ATTRIBUTES if name in headers},
        message_id=headers["x-goog-pubsub-message-id"],
        publish_time=headers.get("x-goog-pubsub-publish-time", ""),
    )
