"""From an ingress message to the event message that subscribers see.

CloudEvents 1.0 in the Pub/Sub protocol binding: attributes with the prefix `ce-`, the content type
as `content-type`, the body as data.
https://github.com/googleapis/google-cloudevents/blob/main/docs/spec/pubsub.md
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from relay.dispatcher import reference
from relay.dispatcher.reference import Reference
from relay.dispatcher.texts import Number, clean, scalars, shorten
from relay.errors import Poison
from relay.gcp.deadletter import MAX_ATTRIBUTES
from relay.ingress import parse_time
from relay.jobs.names import RELAY_JOB
from relay.web.push import PushedMessage

# https://cloud.google.com/pubsub/quotas#resource_limits
MAX_KEY_BYTES = 256
MAX_VALUE_BYTES = 1024

_METADATA = "meta-"

NOT_JSON = "not-json"
NOT_AN_OBJECT = "not-an-object"
NO_TYPE = "no-type"
BAD_TYPE = "type-out-of-bounds"
NO_ID = "no-id"
BAD_ID = "id-out-of-bounds"
NO_KEY = "no-dedup-key"

# What a delivery's scheme proves, as the CloudEvents extension `provenance`. A signature with our
# own secret, and a right to publish to ingress, belong to this project alone; Gemini signs the
# events of a dynamic webhook with the same keys for every customer.
_PROVENANCE = {
    "v1": "project",
    "reconciled": "project",
    "collected": "project",
    "v1a": "gemini",
    "jwt": "gemini",
}


@dataclass(frozen=True)
class Event:
    """One event, ready to be claimed and fanned out.

    `key` is what the ledger knows it by. `metadata` holds the scalar entries of `user_metadata` as
    text, without `relay_job`. `attributes` and `data` are the event message. `route`, if not empty,
    is the only route that a replay is meant for. `received_at` is RFC 3339 in UTC, or empty.
    `about` says which job the event is about.
    """

    key: str
    id: str
    type: str
    scheme: str
    received_at: str
    route: str
    metadata: Mapping[str, str]
    attributes: Mapping[str, str]
    data: bytes
    about: Reference = field(default_factory=Reference)

    @property
    def subject(self) -> str:
        """The event's `ce-subject`: the id of the job or file, or empty."""
        return self.about.subject

    def of_job(self, job: str) -> "Event":
        """Return the event with the attribute `job`, the id of a job of ours."""
        attributes = dict(self.attributes)
        if len(attributes) == MAX_ATTRIBUTES:
            del attributes[next(name for name in attributes if name.startswith(_METADATA))]
        return replace(self, attributes={**attributes, "job": job})


def read(message: PushedMessage, *, source: str) -> Event:
    """Return the event that an ingress message announces; `source` becomes `ce-source`.

    Unknown types and fields pass through. Raises `Poison` where no attempt can succeed.
    """
    given = message.attributes
    document = _document(message.data)
    data = _object(document.get("data"))
    identifier = _identity(given.get("webhook-id", ""), missing=NO_ID, malformed=BAD_ID)
    kind = _identity(document.get("type"), missing=NO_TYPE, malformed=BAD_TYPE)
    outer, inner = _object(document.get("user_metadata")), _object(data.get("user_metadata"))
    metadata = {**dict(scalars(outer)), **dict(scalars(inner))}
    # It proves to us alone that whoever started the job caused the event.
    metadata.pop(RELAY_JOB, None)
    about = reference.read(kind, data, (inner, outer))
    attributes = {
        "ce-specversion": "1.0",
        "ce-id": identifier,
        "ce-type": kind,
        "ce-source": source,
        "ce-time": _time(document.get("timestamp"), given.get("received-at"), message.publish_time),
        "ce-subject": about.subject,
        "ce-provenance": _PROVENANCE.get(given.get("scheme", ""), ""),
        "content-type": "application/json",
        "scheme": given.get("scheme", ""),
        "traceparent": given.get("traceparent", ""),
        "replay": given.get("replay", ""),
    }
    present = {name: value for name, value in attributes.items() if value}
    return Event(
        key=_key(given),
        id=identifier,
        type=kind,
        scheme=given.get("scheme", ""),
        received_at=given.get("received-at", ""),
        route=given.get("replay-route", ""),
        metadata=metadata,
        attributes={**_metadata_attributes(metadata, MAX_ATTRIBUTES - len(present)), **present},
        data=message.data,
        about=about,
    )


def poison(message: PushedMessage) -> Event:
    """Return what claims a message that can never be relayed, so that it makes one dead letter.

    Its key is the message's own or a digest of its data. A replay of the dead letter has another
    key: the message may be readable by then, or make one more dead letter.
    """
    given = message.attributes
    digest = hashlib.sha256(message.data).hexdigest()
    names = ("replay", "dead-letter-replays")
    key = given.get("dedup-key") or f"sha256-{digest}"
    return Event(
        key="\n".join((key, "poison", *(given.get(name, "") for name in names))),
        id=given.get("webhook-id", ""),
        type="",
        scheme=given.get("scheme", ""),
        received_at=given.get("received-at", ""),
        route="",
        metadata={},
        attributes={name: given[name] for name in names if given.get(name)},
        data=message.data,
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _document(data: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(
            data.decode(),
            parse_int=Number,
            parse_float=Number,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        raise Poison(NOT_JSON) from None
    if not isinstance(document, dict):
        raise Poison(NOT_AN_OBJECT)
    return document


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _identity(value: object, *, missing: str, malformed: str) -> str:
    if not isinstance(value, str) or isinstance(value, Number) or not value:
        raise Poison(missing)
    if clean(value) != value or len(value.encode()) > MAX_VALUE_BYTES:
        raise Poison(malformed)
    return value


def _key(given: Mapping[str, str]) -> str:
    key = given.get("dedup-key", "")
    if not key:
        raise Poison(NO_KEY)
    return f"{key}\n{given['replay']}" if given.get("replay") else key


def _time(*candidates: object) -> str:
    return next((text for text in candidates if isinstance(text, str) and parse_time(text)), "")


def _metadata_attributes(metadata: Mapping[str, str], room: int) -> dict[str, str]:
    shortened: dict[str, str] = {}
    for key, value in metadata.items():
        if len(shortened) == room:
            break
        name = shorten(_METADATA + key, MAX_KEY_BYTES)
        shortened.setdefault(name, shorten(value, MAX_VALUE_BYTES))
    return shortened
