import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from localcloud.core import rpc
from localcloud.core.clock import ManualClock
from localcloud.secretmanager import SecretManager
from relay.errors import ConfigurationError, PublishRefused, PublishUnavailable
from relay.keys.keyset import parse_key_set
from relay.keys.secret import parse_secret
from relay.keys.source import FixedKeys
from relay.receiver import function as receiver
from relay.receiver.function import Receiver, create
from relay.receiver.settings import Settings
from relay.receiver.signatures.asymmetric import AsymmetricScheme
from relay.receiver.signatures.symmetric import SymmetricScheme
from relay.receiver.signatures.token import TokenScheme
from relay.receiver.signatures.token_claims import deduplication_key
from relay.receiver.verifier import Enabled, Verifier
from tests.support.publish_sink import Sink
from tests.support.serving import serving
from tests.support.signing import (
    AUDIENCE,
    BODY,
    EVENT,
    NOW,
    claims,
    ed25519_jwk,
    headers,
    jwks,
    raw,
    rsa_jwk,
    secret,
    token,
    v1,
    v1a,
)

FUNCTIONS = Path(__file__).parents[3] / "functions"
TOPIC = "projects/my-project/topics/gemini-webhooks-ingress"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ENVIRON = {
    "GOOGLE_CLOUD_PROJECT": "my-project",
    "WEBHOOK_SIGNING_SECRET": f"{secret(1)} {secret(0)}",
    "MAX_BODY_BYTES": "1000",
    "SCHEMES": "v1,v1a,jwt",
    "JWT_AUDIENCE": AUDIENCE,
}
Named = Mapping[str, str | bytes]


class Kept:
    """A publisher that keeps what it is given, or fails as it is told."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, dict[str, str], float]] = []
        self.error: Exception | None = None

    async def publish(
        self, topic: str, data: bytes, attributes: Mapping[str, str], *, timeout: float
    ) -> str:
        if self.error:
            raise self.error
        self.messages.append((topic, data, dict(attributes), timeout))
        return str(len(self.messages))


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def receive(kept: Kept) -> Receiver:
    return make(kept)


def make(kept: Kept, **options: Any) -> Receiver:
    public = FixedKeys(parse_key_set(jwks(ed25519_jwk(3), ed25519_jwk(0), rsa_jwk()), rsa=True))
    verifier = Verifier(
        [
            Enabled(
                SymmetricScheme(), FixedKeys([parse_secret(secret(1)), parse_secret(secret())])
            ),
            Enabled(AsymmetricScheme(), public),
            Enabled(TokenScheme((AUDIENCE,), 300), public),
        ]
    )
    settings = Settings.read(ENVIRON)
    return Receiver(settings, verifier, kept, now=lambda: NOW + 0.5, **options)


async def ask(
    receive: Receiver,
    named: Named | Sequence[tuple[bytes, bytes]],
    *chunks: bytes,
    method: str = "POST",
    then: str = "",
) -> Response:
    """Send one request in chunks; `then` is `disconnect`, `silence`, or the end of the body."""
    pairs = raw(named) if isinstance(named, Mapping) else list(named)
    left = list(chunks or (b"",))

    async def next_message() -> Message:
        if not left:
            if then == "silence":
                await asyncio.Event().wait()
            return {"type": "http.disconnect"}
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left or then)}

    scope = {"type": "http", "method": method, "path": "/", "headers": pairs}
    return await receive(Request(scope, next_message))


async def test_an_old_signature_is_not_read_with_another_time(
    receive: Receiver, kept: Kept
) -> None:
    old = NOW - 30 * 86_400
    body = b'{"type":"batch.succeeded","note":".%d.{}"}' % NOW
    signature = v1(body, timestamp=old)
    before = body.partition(b".%d." % NOW)[0]
    moved: Named = {
        "webhook-id": b"msg_1.%d.%b" % (old, before),
        "webhook-timestamp": str(NOW),
        "webhook-signature": signature,
    }
    response = await ask(receive, moved, b'{}"}')
    assert response.status_code == 400
    assert not kept.messages


def told(response: Response) -> tuple[int, Any]:
    return response.status_code, json.loads(bytes(response.body))


@pytest.mark.parametrize(
    ("signature", "scheme", "webhook_id"),
    [
        (v1(), "v1", "msg_1"),
        (v1(seed=1), "v1", "msg_1"),
        (v1a(), "v1a", "msg_1"),
        (v1a(seed=3), "v1a", "msg_1"),
        (token(claims(iat=NOW - 9)), "jwt", deduplication_key(EVENT)),
        (f"v2,x {v1(seed=9)} {v1a()}", "v1a", "msg_1"),
    ],
)
async def test_an_authentic_delivery_is_published_and_then_acknowledged(
    receive: Receiver, kept: Kept, signature: str, scheme: str, webhook_id: str
) -> None:
    assert told(await ask(receive, headers(signature), BODY)) == (200, {"status": "received"})
    [(topic, data, attributes, timeout)] = kept.messages
    assert (topic, data, timeout) == (TOPIC, BODY, 3.0)
    assert attributes == {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(NOW - 9 if scheme == "jwt" else NOW),
        "scheme": scheme,
        "dedup-key": webhook_id,
        "received-at": "2027-01-15T08:00:00.500Z",
    }


async def test_the_body_is_kept_byte_for_byte(receive: Receiver, kept: Kept) -> None:
    body = b' {"a" : 1,\r\n "a":2}\xe2\x82\xac '
    chunks = [body[index : index + 1] for index in range(len(body))]
    assert (await ask(receive, headers(v1(body)), *chunks)).status_code == 200
    assert kept.messages[0][1] == body


async def test_a_token_without_a_body_is_its_claims(receive: Receiver, kept: Kept) -> None:
    assert (await ask(receive, headers(token()))).status_code == 200
    assert json.loads(kept.messages[0][1]) == EVENT


async def test_a_trace_goes_on(receive: Receiver, kept: Kept) -> None:
    await ask(receive, {**headers(), "traceparent": TRACE}, BODY)
    await ask(receive, {**headers(), "traceparent": TRACE + "0"}, BODY)
    assert [each[2].get("traceparent") for each in kept.messages] == [TRACE, None]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_health(receive: Receiver, method: str) -> None:
    assert told(await ask(receive, {}, method=method)) == (200, {"status": "ok"})


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", ""])
async def test_other_methods(receive: Receiver, method: str) -> None:
    response = await ask(receive, headers(), BODY, method=method)
    assert told(response) == (405, {"error": "method not allowed"})
    assert response.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("length", ["1001", "9" * 18, "9" * 19, "9" * 6000, "0" * 30 + "1"])
async def test_a_declared_length_over_the_cap_is_refused_unread(
    receive: Receiver, length: str
) -> None:
    response = await ask(receive, {"content-length": length}, then="silence")
    assert told(response) == (413, {"error": "content too large"})


@pytest.mark.parametrize("length", ["", "-1", "+5", "1e3", "5 ", "0x5", "²", "1_0"])
async def test_a_length_that_is_no_number(receive: Receiver, length: str) -> None:
    assert (await ask(receive, {**headers(), "content-length": length}, BODY)).status_code == 400


async def test_a_body_is_cut_at_the_cap(receive: Receiver, kept: Kept) -> None:
    exact = b"x" * 1000
    assert (await ask(receive, headers(v1(exact)), exact)).status_code == 200
    for chunks in ((b"x" * 1001,), (b"x" * 600, b"x" * 600)):
        response = await ask(receive, headers(), *chunks, then="silence")
        assert told(response) == (413, {"error": "content too large"})
    assert len(kept.messages) == 1


async def test_a_body_that_does_not_arrive(kept: Kept) -> None:
    response = await ask(make(kept, body_timeout=0.01), headers(), b"x", then="silence")
    assert told(response) == (408, {"error": "request timeout"})
    assert response.headers["connection"] == "close"


async def test_a_client_that_goes_away_is_no_error(receive: Receiver, kept: Kept) -> None:
    assert (await ask(receive, headers(), BODY, then="disconnect")).status_code == 400
    assert kept.messages == []


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"webhook-id": None}, 400, "bad request"),
        ({"webhook-id": "é"}, 400, "bad request"),
        ({"webhook-timestamp": None}, 400, "bad request"),
        ({"webhook-timestamp": f" {NOW} "}, 400, "bad request"),
        ({"webhook-timestamp": "1_800_000_000"}, 400, "bad request"),
        ({"webhook-timestamp": "1.8e9"}, 400, "bad request"),
        ({"webhook-signature": None}, 400, "bad request"),
        ({"webhook-signature": ""}, 400, "bad request"),
        ({"webhook-timestamp": str(NOW - 300)}, 401, "unauthorized"),
        ({"webhook-timestamp": str(NOW + 301)}, 401, "unauthorized"),
        ({"webhook-timestamp": str(NOW + 1)}, 401, "unauthorized"),
        ({"webhook-id": "msg_2"}, 401, "unauthorized"),
        ({"webhook-signature": v1(seed=9)}, 401, "unauthorized"),
        ({"webhook-signature": v1a(seed=9)}, 401, "unauthorized"),
        ({"webhook-signature": token(claims(aud="other"))}, 401, "unauthorized"),
        ({"webhook-signature": token(claims(type="other"))}, 401, "unauthorized"),
        ({"webhook-signature": "nocomma"}, 401, "unauthorized"),
        ({"webhook-signature": "v1"}, 401, "unauthorized"),
        ({"webhook-signature": v1() + "!"}, 401, "unauthorized"),
    ],
)
async def test_refusals(
    receive: Receiver, kept: Kept, changes: dict[str, str | None], status: int, error: str
) -> None:
    named = {name: value for name, value in {**headers(), **changes}.items() if value is not None}
    assert told(await ask(receive, named, BODY)) == (status, {"error": error})
    assert kept.messages == []


async def test_each_refusal_comes_before_those_that_cost_more(
    receive: Receiver, kept: Kept
) -> None:
    """A request with every fault is mended one fault at a time, in the order of the table."""
    kept.error = PublishUnavailable("down")
    stale = {**headers(v1(seed=9), timestamp=1), "content-length": "5000"}
    del stale["webhook-id"]
    steps: list[tuple[Named, bytes, str, int]] = [
        (stale, b"x" * 5000, "PUT", 405),
        (stale, b"x" * 5000, "POST", 413),
        ({**stale, "content-length": "5"}, b"x" * 5000, "POST", 413),
        ({**stale, "content-length": "5"}, BODY, "POST", 400),
        (headers(v1(seed=9), timestamp=1), BODY, "POST", 401),
        (headers(v1(seed=9)), BODY, "POST", 401),
        (headers(), BODY, "POST", 503),
    ]
    for named, body, method, status in steps:
        assert (await ask(receive, named, body, method=method)).status_code == status
    kept.error = None
    assert (await ask(receive, headers(), BODY)).status_code == 200


@pytest.mark.parametrize(
    "error", [PublishUnavailable("publish-deadline"), PublishRefused("schema")]
)
async def test_what_pubsub_did_not_confirm_is_not_acknowledged(
    receive: Receiver, kept: Kept, error: Exception
) -> None:
    kept.error = error
    response = await ask(receive, headers(), BODY)
    assert told(response) == (503, {"error": "unavailable"})
    assert response.headers["retry-after"] == "5"


async def test_refusals_are_logged_without_what_was_sent(
    receive: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    await ask(receive, headers(v1(seed=9), webhook_id="attacker"), b"payload")
    await ask(receive, headers(v1(seed=9), webhook_id="attacker"), b"payload")
    await ask(receive, headers(), BODY)
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "severity": "WARNING",
        "message": "delivery refused",
        "reason": "signature",
        "count": 1,
    }


NAMES = ["webhook-id", "webhook-timestamp", "webhook-signature", "content-length", "traceparent"]
SIGNATURES = st.one_of(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=80),
    st.lists(
        st.tuples(st.sampled_from(["v1", "v1a", "v2", ""]), st.binary(max_size=70)), max_size=5
    ).map(lambda entries: " ".join(f"{version},{value!r}" for version, value in entries)),
    st.lists(st.text("eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS0xIn0-_=.", max_size=60), max_size=3).map(
        ".".join
    ),
).map(str.encode)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([name.encode() for name in NAMES]),
            st.one_of(st.binary(max_size=40), SIGNATURES, st.just(str(NOW).encode())),
        ),
        max_size=8,
    ),
    st.lists(st.binary(max_size=700), max_size=4),
    st.sampled_from(["GET", "HEAD", "POST", "POST", "POST", "PUT"]),
    st.sampled_from(["", "", "disconnect"]),
)
@example([*raw(headers("v1,\u00e9"))], [b"\xff"], "POST", "")
async def test_no_request_passes_or_fails_otherwise_than_designed(
    pairs: list[tuple[bytes, bytes]], chunks: list[bytes], method: str, then: str
) -> None:
    kept = Kept()
    response = await ask(make(kept), pairs, *chunks, method=method, then=then)
    expected = {200} if method in ("GET", "HEAD") else {400, 401, 405, 413}
    assert response.status_code in expected
    assert kept.messages == []


@given(SIGNATURES, st.binary(max_size=100), st.text("0123456789", max_size=20))
async def test_no_signature_that_was_not_made_with_a_key_passes(
    signature: bytes, body: bytes, timestamp: str
) -> None:
    kept = Kept()
    named: Named = {**headers(), "webhook-signature": signature}
    for stamp in (str(NOW), timestamp):
        response = await ask(make(kept), {**named, "webhook-timestamp": stamp}, body)
        assert response.status_code in (400, 401)
    assert kept.messages == []


# From here on: everything that `create` puts together, over real connections.


class Gemini:
    """A key set served over HTTP."""

    def __init__(self) -> None:
        self.document = jwks(ed25519_jwk(0), rsa_jwk())
        self.status = 200
        self.fetches = 0

    async def answer(self, _request: Request) -> Response:
        self.fetches += 1
        return Response(self.document, self.status)

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/jwks", self.answer)])


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    made = Sink()
    await made.start()
    yield made
    made.gate.set()
    await made.stop()


@pytest.fixture
def gemini() -> Gemini:
    return Gemini()


def build(environ: Mapping[str, str]) -> Receiver:
    """Make a receiver that lives at the time of the test's signatures."""
    return create(environ, now=lambda: NOW)


async def running(
    handle: Receiver, deliveries: Sequence[tuple[dict[str, str], bytes]]
) -> list[httpx2.Response]:
    app = Starlette(routes=[Route("/{path:path}", handle.__call__, methods=["GET", "POST", "PUT"])])
    async with serving(app) as base, httpx2.AsyncClient(base_url=base, timeout=30) as client:
        posts = (client.post("/hook", headers=named, content=body) for named, body in deliveries)
        return await asyncio.gather(*posts)


async def close(handle: Receiver) -> None:
    publisher: Any = handle._publisher
    await publisher.close()


async def test_all_schemes_over_real_connections(sink: Sink, gemini: Gemini) -> None:
    async with serving(gemini.app) as keys:
        environ = {**ENVIRON, "PUBSUB_EMULATOR_HOST": sink.address, "JWKS_URI": keys + "/jwks"}
        handle = build(environ)
        deliveries = [(headers(signature), BODY) for signature in (v1(), v1a(), token())]
        deliveries += [(headers(v1a(seed=5)), BODY), (headers(v1(seed=5)), BODY), ({}, b"x" * 5000)]
        answers = await running(handle, deliveries * 5)
        await close(handle)
    assert [answer.status_code for answer in answers] == [200, 200, 200, 401, 401, 413] * 5
    assert (
        sorted(m.attributes["scheme"] for m in sink.stored)
        == ["jwt"] * 5 + ["v1"] * 5 + ["v1a"] * 5
    )
    assert gemini.fetches <= 2


async def test_a_rotated_public_key_is_picked_up_at_once(sink: Sink, gemini: Gemini) -> None:
    async with serving(gemini.app) as keys:
        environ = {**ENVIRON, "PUBSUB_EMULATOR_HOST": sink.address, "JWKS_URI": keys + "/jwks"}
        handle = build(environ)
        assert [a.status_code for a in await running(handle, [(headers(v1a()), BODY)])] == [200]
        gemini.document = jwks(ed25519_jwk(6))
        forged = [(headers(v1a(seed=9)), BODY)] * 10
        answers = await running(handle, [(headers(v1a(seed=6)), BODY), *forged])
        await close(handle)
    assert [answer.status_code for answer in answers] == [200] + [401] * 10
    assert gemini.fetches == 2


async def test_without_public_keys_only_what_needs_them_is_unavailable(
    sink: Sink, gemini: Gemini
) -> None:
    gemini.status = 500
    async with serving(gemini.app) as keys:
        environ = {**ENVIRON, "PUBSUB_EMULATOR_HOST": sink.address, "JWKS_URI": keys + "/jwks"}
        handle = build(environ)
        deliveries = [(headers(signature), BODY) for signature in (v1(), v1a(), token())]
        answers = await running(handle, deliveries)
        await close(handle)
    assert [answer.status_code for answer in answers] == [200, 503, 503]
    assert answers[1].headers["retry-after"] == "5"


async def test_the_signing_secret_from_secret_manager(sink: Sink) -> None:
    manager = SecretManager(ManualClock())
    [service] = manager.services.values()

    async def call(method: str, **fields: Any) -> None:
        await service[method].handler(service[method].request(**fields))

    await call(
        "CreateSecret",
        parent="projects/my-project",
        secret_id="gemini",
        secret={"replication": {"automatic": {}}},
    )
    path = "projects/my-project/secrets/gemini"
    await call("AddSecretVersion", parent=path, payload={"data": secret(0).encode()})
    listener = await rpc.listen(manager.services)
    environ = {
        "GOOGLE_CLOUD_PROJECT": "my-project",
        "SIGNING_SECRET": path,
        "SECRET_MANAGER_EMULATOR_HOST": listener.address,
        "PUBSUB_EMULATOR_HOST": sink.address,
    }
    handle = build(environ)
    deliveries = [(headers(v1(seed=seed)), BODY) for seed in (0, 1)]
    before = await running(handle, deliveries[:1])
    await call("AddSecretVersion", parent=path, payload={"data": secret(1).encode()})
    after = await running(handle, deliveries)
    await close(handle)
    await listener.stop()
    assert [answer.status_code for answer in before + after] == [200, 200, 200]


async def test_deliveries_that_arrive_together_share_a_call(sink: Sink) -> None:
    sink.behave = sink.hang
    handle = build({**ENVIRON, "PUBSUB_EMULATOR_HOST": sink.address})

    async def open_gate() -> None:
        await sink.called.wait()
        sink.gate.set()

    answers, _ = await asyncio.gather(running(handle, [(headers(), BODY)] * 40), open_gate())
    await close(handle)
    assert {answer.status_code for answer in answers} == {200}
    assert len(sink.stored) == 40
    assert len(sink.calls) < 40


async def test_pubsub_gone_and_back(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "PUBLISH_TIMEOUT", 0.2)
    handle = build({**ENVIRON, "PUBSUB_EMULATOR_HOST": sink.address})
    await sink.stop()
    gone = await running(handle, [(headers(), BODY)] * 3)
    monkeypatch.setattr(receiver, "PUBLISH_TIMEOUT", 30.0)
    await sink.start()
    back = await running(handle, [(headers(), BODY)] * 3)
    await close(handle)
    assert [answer.status_code for answer in gone + back] == [503] * 3 + [200] * 3
    assert len(sink.stored) == 3


def test_what_is_not_loaded_before_it_is_needed() -> None:
    heavy = {"jwt", "httpx2", "google.cloud.secretmanager_v1"}
    environ = {
        "GOOGLE_CLOUD_PROJECT": "my-project",
        "WEBHOOK_SIGNING_SECRET": secret(),
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",
    }
    code = f"""
import sys
sys.path.insert(0, {str(FUNCTIONS)!r})
from relay.receiver.function import create
create({environ!r})
print(*({heavy!r} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_wrong_environment_makes_no_receiver() -> None:
    with pytest.raises(ConfigurationError):
        create({})


def test_fewer_schemes() -> None:
    made = create({"GOOGLE_CLOUD_PROJECT": "my-project", "SCHEMES": "jwt", "JWT_AUDIENCE": "me"})
    assert isinstance(made, Receiver)
