"""What must hold of each parser, whatever bytes it is given.

A target takes any bytes. It raises nothing as long as the parser keeps its promises: only the
documented errors are raised, what is accepted is within its bounds and says what was sent.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from jwt.algorithms import RSAAlgorithm

from relay.dispatcher import event as events
from relay.dispatcher import routes
from relay.environment import Environment
from relay.errors import ConfigurationError, Poison, Refused
from relay.gcp.deadletter import MAX_ATTRIBUTES
from relay.ingress import parse_time
from relay.keys.jwks import lifetime
from relay.keys.keyset import MAX_KEYS, KeySet, parse_key_set
from relay.keys.secret import parse_secret
from relay.receiver.delivery import Delivery
from relay.receiver.signatures import Outcome, Verified
from relay.receiver.signatures.entries import MAX_ENTRIES, parse_entries
from relay.receiver.signatures.token import TokenScheme
from relay.web import push
from relay.web.push import NotAPush, PushedMessage
from tests.support import signing

TOLERANCE = 300.0
_IDENTIFIER = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,256}")
_TRACE = b"traceparent:00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_TOKENS = TokenScheme([signing.AUDIENCE], TOLERANCE)
_POISON = {events.NOT_JSON, events.NOT_AN_OBJECT, events.NO_TYPE, events.BAD_TYPE}
_MESSAGE = {"data": "e30=", "attributes": {"webhook-id": "evt_1"}, "messageId": "7"}


@dataclass(frozen=True)
class Target:
    """A parser with what it promises, and inputs to begin with."""

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


class _Trusting(RSAAlgorithm):
    """Takes every signature for valid, so that what a signer may say is reached."""

    def verify(self, _msg: bytes, _key: object, _sig: bytes) -> bool:
        return True


def _key_set(*, trusting: bool) -> KeySet:
    keys = parse_key_set(signing.jwks(signing.rsa_jwk()), rsa=True)
    if trusting:
        keys.rsa["rsa-1"].Algorithm = _Trusting(RSAAlgorithm.SHA256)
    return keys


_KEYS, _TRUSTED = _key_set(trusting=False), _key_set(trusting=True)


def signature_header(data: bytes) -> None:
    """Check the list of signatures: bounded, and every value as it was sent."""
    found = parse_entries(data)
    assert sum(map(len, found.values())) <= MAX_ENTRIES
    for kind, values in found.items():
        assert values
        assert len(set(values)) == len(values)
        for value in values:
            assert value
            sent = value if kind == "jwt" else kind.encode() + b"," + value
            assert sent in data or "\ufffd" in kind


def timestamp(data: bytes) -> None:
    """Check the timestamp: plain decimal digits, and nothing else, are a time."""
    named = signing.headers("v1,x") | {"webhook-timestamp": data}
    try:
        delivery = Delivery.parse(signing.raw(named), b"", signing.NOW)
    except Refused as refused:
        if refused.status != 400:
            raise
        return
    assert b"%0*d" % (len(data), delivery.timestamp) == data
    try:
        delivery.check_age(TOLERANCE)
    except Refused as refused:
        if refused.status != 401:
            raise
        return
    assert abs(delivery.timestamp - signing.NOW) <= TOLERANCE


def webhook_headers(data: bytes) -> None:
    """Check a delivery's headers, one a line: what is accepted came exactly once."""
    lines = [line.partition(b":")[::2] for line in data.split(b"\n")]
    named = [(name.lower(), value) for name, value in lines]
    try:
        delivery = Delivery.parse(named, b"body", signing.NOW)
    except Refused as refused:
        if refused.status != 400:
            raise
        return
    values = {name: [value for other, value in named if other == name] for name, _ in named}
    (identifier,) = values[b"webhook-id"]
    (stamp,) = values[b"webhook-timestamp"]
    assert values[b"webhook-signature"] == [delivery.signature]
    assert _IDENTIFIER.fullmatch(delivery.id)
    assert delivery.id.encode() == identifier
    assert delivery.signed == identifier + b"." + stamp + b".body"
    if delivery.traceparent is not None:
        assert values[b"traceparent"] == [delivery.traceparent.encode()]


def token(data: bytes) -> None:
    """Check a token as it comes: nobody can make one that verifies."""
    delivery = signing.delivery("x")
    assert isinstance(_TOKENS.verify(delivery, [data], _KEYS), Outcome)


def token_header(data: bytes) -> None:
    """Check a token's header: at the most it names a key that is not known."""
    claims = json.dumps(signing.claims()).encode()
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (data, claims, b"sig")]
    token(b".".join(parts))


def token_claims(data: bytes) -> None:
    """Check claims and, after a zero byte, the body beside them: both say the same event."""
    claims, _, body = data.partition(b"\0")
    parts = (b'{"alg":"RS256","kid":"rsa-1"}', claims, b"sig")
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    found = _TOKENS.verify(signing.delivery("x", body), [signed], _TRUSTED)
    if not isinstance(found, Verified):
        assert isinstance(found, Outcome)
        return
    assert _IDENTIFIER.fullmatch(found.id)
    assert abs(found.timestamp - signing.NOW) <= TOLERANCE
    assert not body or found.body == body
    said = json.loads(found.body)
    assert said["type"]
    assert said.items() <= json.loads(claims).items()


def key_set(data: bytes) -> None:
    """Check a JWKS: usable keys, not too many, or a `ValueError`."""
    try:
        keys = parse_key_set(data, rsa=True)
    except ValueError:
        return
    assert keys.ed25519 or keys.rsa
    assert max(len(keys.ed25519), len(keys.rsa)) <= MAX_KEYS
    assert all(2048 <= key.key.key_size <= 8192 for key in keys.rsa.values())
    assert not keys.signed(b"message", bytes(64))


def key_set_lifetime(data: bytes) -> None:
    """Check how long a JWKS is fresh: from a minute to six hours, whatever it says."""
    assert 60 <= lifetime({"cache-control": data.decode("latin-1")}) <= 6 * 3600


def secret(data: bytes) -> None:
    """Check a signing secret: refused without being repeated, or what its base64 says."""
    text = data.decode("utf-8", "replace")
    try:
        key = parse_secret(text)
    except ValueError as error:
        if len(text) >= 16 and text in str(error):
            raise
        return
    assert 16 <= len(key) <= 512
    assert base64.b64encode(key).decode().rstrip("=")[:-1] in text


def push_envelope(data: bytes) -> None:
    """Check a push; its form is told by the first byte. What is read, written and read again."""
    forms: tuple[Mapping[str, str], ...] = (
        {},
        {"content-type": "application/cloudevents+json"},
        {"ce-specversion": "1.0", "ce-type": "google.cloud.pubsub.topic.v1.messagePublished"},
        {"x-goog-pubsub-message-id": "1", "webhook-id": data[:20].decode("latin-1")},
    )
    headers = forms[data[0] % len(forms)] if data else {}
    try:
        message = push.parse(headers, data[1:])
    except NotAPush as refused:
        if refused.status != 400:
            raise
        return
    for text in (*message.attributes, *message.attributes.values()):
        text.encode()
    again = {
        "data": base64.b64encode(message.data).decode(),
        "attributes": message.attributes,
        "messageId": message.message_id,
        "publishTime": message.publish_time,
    }
    envelope = {"message": again, "deliveryAttempt": message.delivery_attempt}
    assert push.parse({}, json.dumps(envelope).encode()) == message


def route_list(data: bytes) -> None:
    """Check `ROUTES` as JSON: what is read, written and read again, and matches or does not."""
    text = "[" + data.decode("utf-8", "surrogateescape")
    try:
        found = _routes(text)
    except ConfigurationError as error:
        if error.variable != "ROUTES":
            raise
        return
    assert len(found) <= routes.MAX_ROUTES + 1
    assert len({route.name for route in found}) == len(found)
    again = [
        {"name": each.name, "topic": each.topic, "types": each.types, "metadata": each.metadata}
        for each in found[1:]
    ]
    assert _routes(json.dumps(again)) == found
    assert found[0] in routes.select(found, text[:100], {"team": text[:10]})


def _routes(text: str) -> tuple[routes.Route, ...]:
    return routes.read_routes(Environment({"GOOGLE_CLOUD_PROJECT": "p1", "ROUTES": text}))


def event(data: bytes) -> None:
    """Check an event's body: poison, or attributes that Pub/Sub takes and a body left alone."""
    given = {"webhook-id": "evt_1", "dedup-key": "evt_1", "scheme": "v1"}
    message = PushedMessage(data, given)
    try:
        found = events.read(message, source="//generativelanguage.googleapis.com/projects/p")
    except Poison as poison:
        if poison.reason not in _POISON:
            raise
        return
    assert (found.data, found.id, found.key) == (data, "evt_1", "evt_1")
    assert found.type == found.attributes["ce-type"] == _document(data)["type"]
    assert len(found.attributes) <= MAX_ATTRIBUTES
    for name, value in found.attributes.items():
        assert 1 <= len(name.encode()) <= events.MAX_KEY_BYTES
        assert len(value.encode()) <= events.MAX_VALUE_BYTES
        assert value.isprintable() or not any(ord(each) < 32 for each in value)


def _document(data: bytes) -> Any:
    # A whole number may have more digits than Python turns into one.
    return json.loads(data, parse_int=str)


def event_time(data: bytes) -> None:
    """Check an event's time: in UTC, or none."""
    found = parse_time(data.decode("latin-1"))
    assert found is None or found.tzinfo is UTC


TARGETS: Mapping[str, Target] = {
    "signature-header": Target(
        signature_header,
        (b"v1,abc= v1a,def=", b"a.b.c", b"v1,a v1,a ,b v2 v1,", b"jwt,a.b.c v1,a.b.c"),
    ),
    "timestamp": Target(timestamp, (b"1800000000", b"0001800000001", b"-1", b" 1", b"1_0", b"1e9")),
    "webhook-headers": Target(
        webhook_headers,
        (
            b"webhook-id:evt_1\nwebhook-timestamp:1800000000\nwebhook-signature:v1,abc=\n" + _TRACE,
            b"Webhook-Id:a\nwebhook-id:b\nwebhook-timestamp:1\nwebhook-signature:x",
        ),
    ),
    "token": Target(token, (signing.token(key=signing.OTHER_RSA_KEY).encode(), b"a.b.c", b"..")),
    "token-header": Target(
        token_header,
        (b'{"alg":"RS256","kid":"rsa-1"}', b'{"alg":"none"}', b'{"alg":"RS256","kid":[],"crit":1}'),
    ),
    "token-claims": Target(
        token_claims,
        (
            json.dumps(signing.claims()).encode(),
            json.dumps(signing.claims(jti=None, nbf=signing.NOW)).encode() + b"\0" + signing.BODY,
            b'{"type":"a","aud":["x"],"iat":1e400,"exp":true}\0{"type":"a","type":"a"}',
        ),
    ),
    "key-set": Target(
        key_set,
        (
            signing.jwks(signing.ed25519_jwk(), signing.rsa_jwk()),
            b'{"keys":[{"kty":"RSA","kid":"a","n":"AQ","e":"AQAB"},{"kty":"OKP"}]}',
        ),
    ),
    "key-set-lifetime": Target(key_set_lifetime, (b'public, max-age="3600"', b"max-age=9999999")),
    "secret": Target(secret, (signing.secret().encode(), b"whsec_====", b"whsec_AAAA")),
    "push-envelope": Target(
        push_envelope,
        (
            b"0" + json.dumps({"message": _MESSAGE, "deliveryAttempt": 2}).encode(),
            b"1"
            + json.dumps(
                {
                    "type": "google.cloud.pubsub.topic.v1.messagePublished",
                    "data": {"message": _MESSAGE},
                }
            ).encode(),
            b'2{"message":{"data":"-_-_","message_id":"1"}}',
            b"3body",
        ),
    ),
    "routes": Target(
        route_list,
        (
            b'{"name":"blue","types":["batch.*"],"metadata":{"team":"blue","n":1},"topic":"blue"}]',
            b'{"name":"a","types":["[!x-z]?*"],"topic":"projects/p/topics/abc"}]',
        ),
    ),
    "event": Target(
        event,
        (
            signing.BODY,
            b'{"type":"a","user_metadata":{"k":"v","n":1e9},"data":{"file_id":"\\ud800"}}',
            b'{"type":"b","timestamp":"2026-01-22T12:00:00Z","data":{"user_metadata":{"":true}}}',
        ),
    ),
    "event-time": Target(event_time, (b"2026-01-22T12:00:00.5Z", b"0001-01-01T00:00:00+23:59")),
}
