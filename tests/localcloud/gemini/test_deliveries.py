import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook as Verifier

from localcloud.core.clock import ManualClock
from localcloud.gemini import Gemini, Scheme
from localcloud.gemini.catalogue import SUBSCRIBABLE, TYPES
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.forge import FORGERIES, Forgery
from tests.localcloud.gemini.conftest import URI, Endpoint

EVENTS = list(SUBSCRIBABLE)


def register(gemini: Gemini, uri: str = URI, events: list[str] = EVENTS) -> dict[str, Any]:
    return gemini.webhooks.create({"uri": uri, "subscribed_events": events})


def verifies_v1a(gemini: Gemini, request: httpx2.Request) -> bool:
    message = (
        f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
        + request.content
    )
    entries = request.headers["webhook-signature"].split(" ")
    signatures = [base64.b64decode(each[4:]) for each in entries if each.startswith("v1a,")]
    for key in gemini.keys.jwks()["keys"]:
        if key["kty"] == "OKP":
            public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
            for signature in signatures:
                try:
                    public.verify(signature, message)
                except InvalidSignature:
                    continue
                return True
    return False


def decode(gemini: Gemini, token: str, audience: str = URI) -> dict[str, Any]:
    kid = jwt.get_unverified_header(token)["kid"]
    key = jwt.PyJWKSet.from_dict(gemini.keys.jwks())[kid]
    options: Any = {"verify_exp": False, "verify_iat": False}
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience, options=options)


def signed_by(secret: str, request: httpx2.Request) -> bool:
    # The library verifies against the wall clock, which a test cannot move: only its signing helps.
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    signed = Verifier(secret).sign(request.headers["webhook-id"], at, request.content.decode())
    return signed in request.headers["webhook-signature"].split(" ")


@pytest.mark.parametrize("event_type", EVENTS)
async def test_a_registered_webhook_gets_what_it_subscribes_to(
    gemini: Gemini, endpoint: Endpoint, event_type: str
) -> None:
    created = register(gemini)
    register(gemini, events=[each for each in EVENTS if each != event_type])
    (delivery,) = gemini.emit(event_type)
    await gemini.courier.quiet()
    (request,) = endpoint.requests
    body = json.loads(request.content)
    assert (body["type"], body["version"]) == (event_type, "v1")
    assert body["timestamp"] == "2027-01-15T08:00:00Z"
    assert delivery.state == "delivered"
    assert signed_by(created["new_signing_secret"], request)


@pytest.mark.parametrize("event_type", TYPES)
async def test_a_dynamic_webhook_gets_any_event_with_its_metadata(
    gemini: Gemini, endpoint: Endpoint, event_type: str
) -> None:
    register(gemini)
    gemini.emit(event_type, uris=[URI], user_metadata={"team": "blue"})
    await gemini.courier.quiet()
    (request,) = endpoint.requests
    assert json.loads(request.content)["user_metadata"] == {"team": "blue"}
    assert verifies_v1a(gemini, request)


@pytest.mark.parametrize("settings", [{"user_metadata_in": "data"}], indirect=True)
async def test_metadata_may_lie_in_data(gemini: Gemini, endpoint: Endpoint) -> None:
    gemini.emit("batch.expired", data={"id": "b"}, uris=[URI], user_metadata={"k": 1})
    await gemini.courier.quiet()
    data = json.loads(endpoint.requests[0].content)["data"]
    assert data == {"id": "b", "user_metadata": {"k": 1}}


async def test_a_token_holds_the_event(gemini: Gemini, endpoint: Endpoint) -> None:
    gemini.emit("batch.succeeded", uris=[URI], scheme="jwt", webhook_id="evt_1")
    await gemini.courier.quiet()
    (request,) = endpoint.requests
    claims = decode(gemini, request.headers["webhook-signature"])
    now = int(gemini.clock.time())
    assert (claims.pop("iat"), claims.pop("exp"), claims.pop("jti")) == (now, now + 300, "evt_1")
    del claims["iss"], claims["aud"]
    assert claims == json.loads(request.content)


async def test_a_token_holds_the_event_of_an_empty_body(gemini: Gemini, endpoint: Endpoint) -> None:
    gemini.emit("batch.failed", data={"id": "b"}, uris=[URI], scheme="jwt", body=b"")
    await gemini.courier.quiet()
    (request,) = endpoint.requests
    assert request.content == b""
    claims = decode(gemini, request.headers["webhook-signature"])
    assert (claims["type"], claims["data"]) == ("batch.failed", {"id": "b"})


@pytest.mark.parametrize(
    "settings", [{"jwt_audience": "client-id", "jwt_with_jti": False}], indirect=True
)
async def test_a_token_as_the_settings_have_it(gemini: Gemini, endpoint: Endpoint) -> None:
    gemini.emit("batch.failed", uris=[URI], scheme="jwt")
    await gemini.courier.quiet()
    token = endpoint.requests[0].headers["webhook-signature"]
    assert "jti" not in decode(gemini, token, "client-id")


@pytest.mark.parametrize("body", [b"[1]", b"not json"])
async def test_a_token_cannot_hold_what_is_no_object(gemini: Gemini, body: bytes) -> None:
    with pytest.raises(GoogleError):
        gemini.emit("batch.failed", uris=[URI], scheme="jwt", body=body)


async def test_a_mixed_list_holds_every_version(gemini: Gemini, endpoint: Endpoint) -> None:
    created = register(gemini)
    gemini.emit("batch.failed", scheme="mixed")
    await gemini.courier.quiet()
    (request,) = endpoint.requests
    versions = [each[:3] for each in request.headers["webhook-signature"].split(" ")]
    assert versions == ["v2,", "v1,", "v1a"]
    assert signed_by(created["new_signing_secret"], request)
    assert verifies_v1a(gemini, request)


async def test_a_dynamic_webhook_has_no_secret_for_v1(gemini: Gemini) -> None:
    with pytest.raises(GoogleError):
        gemini.emit("batch.failed", uris=[URI], scheme="v1")
    gemini.emit("batch.failed", uris=[URI], scheme="mixed")


async def test_each_active_secret_signs_during_an_overlap(
    gemini: Gemini, endpoint: Endpoint, clock: ManualClock
) -> None:
    created = register(gemini)
    rotated = gemini.webhooks.rotate(created["id"], None)
    gemini.emit("batch.failed")
    await gemini.courier.quiet()
    assert signed_by(rotated["secret"], endpoint.requests[0])
    assert signed_by(created["new_signing_secret"], endpoint.requests[0])
    await clock.advance(24 * 3600)
    gemini.emit("batch.failed")
    await gemini.courier.quiet()
    assert signed_by(rotated["secret"], endpoint.requests[1])
    assert not signed_by(created["new_signing_secret"], endpoint.requests[1])


async def test_a_retry_has_the_same_id_and_a_fresh_signature(
    gemini: Gemini, endpoint: Endpoint, clock: ManualClock
) -> None:
    created = register(gemini)
    endpoint.statuses = [503, 0, 302]
    (delivery,) = gemini.emit("batch.failed")
    for wait in (10, 20, 40):
        await gemini.courier.quiet()
        assert delivery.state == "pending"
        await clock.advance(wait)
    await gemini.courier.quiet()
    assert delivery.state == "delivered"
    statuses = [(attempt.status, attempt.error) for attempt in delivery.attempts]
    assert statuses == [(503, None), (None, "ConnectError"), (302, None), (200, None)]
    assert len({request.headers["webhook-id"] for request in endpoint.requests}) == 1
    timestamps = [int(request.headers["webhook-timestamp"]) for request in endpoint.requests]
    assert [at - timestamps[0] for at in timestamps] == [0, 10, 30, 70]
    assert all(signed_by(created["new_signing_secret"], each) for each in endpoint.requests)


@pytest.mark.parametrize("settings", [{"disable_after_failed_attempts": 1000}], indirect=True)
async def test_a_delivery_is_given_up_after_a_day(
    gemini: Gemini, endpoint: Endpoint, clock: ManualClock
) -> None:
    register(gemini)
    endpoint.status = 500
    (delivery,) = gemini.emit("batch.failed")
    for _ in range(48):
        await gemini.courier.quiet()
        await clock.advance(1800)
    assert delivery.state == "failed"
    seen = len(endpoint.requests)
    assert seen == len(delivery.attempts)
    waits = [b.at - a.at for a, b in pairwise(delivery.attempts)]
    assert waits[:4] == [10, 20, 40, 80]
    assert max(waits) == 3600
    assert sum(waits) <= 24 * 3600


@pytest.mark.parametrize("settings", [{"time_scale": 10.0}], indirect=True)
async def test_the_time_scale_shortens_the_waits(
    gemini: Gemini, endpoint: Endpoint, clock: ManualClock
) -> None:
    register(gemini)
    endpoint.statuses = [500]
    (delivery,) = gemini.emit("batch.failed")
    await gemini.courier.quiet()
    await clock.advance(1)
    await gemini.courier.quiet()
    assert delivery.state == "delivered"


@pytest.mark.parametrize("settings", [{"disable_after_failed_attempts": 3}], indirect=True)
async def test_an_endpoint_that_keeps_failing_is_disabled(
    gemini: Gemini, endpoint: Endpoint, clock: ManualClock
) -> None:
    created = register(gemini)
    endpoint.statuses = [500, 500, 200, 500, 500, 500]
    deliveries = [*gemini.emit("batch.failed")]
    for wait in (10, 20):
        await gemini.courier.quiet()
        await clock.advance(wait)
    await gemini.courier.quiet()
    deliveries += gemini.emit("batch.failed")
    for wait in (10, 20):
        await gemini.courier.quiet()
        await clock.advance(wait)
    await gemini.courier.quiet()
    state = "disabled_due_to_failed_deliveries"
    assert gemini.webhooks.get(created["id"])["state"] == state
    assert gemini.emit("batch.failed") == []
    await clock.advance(40)
    assert [delivery.state for delivery in deliveries] == ["delivered", "abandoned"]
    assert len(endpoint.requests) == 6
    gemini.webhooks.update(created["id"], {"state": "enabled"}, "")
    gemini.emit("batch.failed")
    await gemini.courier.quiet()
    assert len(endpoint.requests) == 7


async def test_a_disabled_webhook_gets_no_attempt_but_a_forgery(
    gemini: Gemini, endpoint: Endpoint
) -> None:
    created = register(gemini)
    gemini.webhooks.update(created["id"], {"state": "disabled"}, "")
    (delivery,) = gemini.emit("batch.failed", to=[created["id"]])
    await gemini.courier.quiet()
    assert (delivery.state, delivery.attempts, endpoint.requests) == ("abandoned", [], [])
    gemini.emit("batch.failed", to=[created["id"]], forgery="wrong-key")
    await gemini.courier.quiet()
    assert len(endpoint.requests) == 1


async def test_a_deleted_webhook_gets_no_more_attempts(
    gemini: Gemini, endpoint: Endpoint, clock: ManualClock
) -> None:
    created = register(gemini)
    endpoint.status = 500
    (delivery,) = gemini.emit("batch.failed")
    await gemini.courier.quiet()
    gemini.webhooks.delete(created["id"])
    await clock.advance(10)
    assert (delivery.state, len(endpoint.requests)) == ("abandoned", 1)


@pytest.mark.parametrize("scheme", ["v1", "v1a", "jwt", "mixed"])
@pytest.mark.parametrize("forgery", FORGERIES)
async def test_no_forgery_verifies(
    gemini: Gemini, endpoint: Endpoint, scheme: Scheme, forgery: Forgery
) -> None:
    created = register(gemini)
    endpoint.status = 401
    (delivery,) = gemini.emit("batch.failed", scheme=scheme, forgery=forgery)
    await gemini.courier.settled([delivery], 10)
    (request,) = endpoint.requests
    assert delivery.state == "failed"
    assert gemini.webhooks.find(created["id"]).failed_attempts == 0
    assert not believed(gemini, created["new_signing_secret"], request)


def believed(gemini: Gemini, secret: str, request: httpx2.Request) -> bool:
    header = request.headers.get("webhook-signature", "")
    now = gemini.clock.time()
    if header.count(".") == 2 and "," not in header:
        try:
            claims = decode(gemini, header)
        except (jwt.InvalidTokenError, KeyError):
            return False
        event = {name: claims[name] for name in ("type", "version", "timestamp", "data")}
        return bool(abs(now - claims["iat"]) <= 300 and json.loads(request.content) == event)
    fresh = abs(now - int(request.headers["webhook-timestamp"])) <= 300
    signed = bool(header) and (signed_by(secret, request) or verifies_v1a(gemini, request))
    return fresh and signed


@pytest.mark.parametrize("scheme", ["v1", "v1a", "jwt", "mixed"])
async def test_what_is_not_forged_verifies(
    gemini: Gemini, endpoint: Endpoint, scheme: Scheme
) -> None:
    created = register(gemini)
    gemini.emit("batch.failed", scheme=scheme)
    await gemini.courier.quiet()
    assert believed(gemini, created["new_signing_secret"], endpoint.requests[0])


async def test_a_delivery_can_be_repeated_back_dated_and_raw(
    gemini: Gemini, endpoint: Endpoint
) -> None:
    created = register(gemini, events=["batch.failed"])
    gemini.emit(
        "batch.cancelled",
        to=[created["id"]],
        times=3,
        at=1_700_000_000,
        body=b"raw",
        webhook_id="x",
    )
    await gemini.courier.quiet()
    assert [request.content for request in endpoint.requests] == [b"raw"] * 3
    headers = {
        (request.headers["webhook-id"], request.headers["webhook-timestamp"])
        for request in endpoint.requests
    }
    assert headers == {("x", "1700000000")}


@pytest.mark.parametrize("settings", [{"max_deliveries_kept": 3}], indirect=True)
async def test_the_account_is_bounded(gemini: Gemini, endpoint: Endpoint) -> None:
    register(gemini)
    for _ in range(5):
        gemini.emit("batch.failed")
        await gemini.courier.quiet()
    assert [delivery.number for delivery in gemini.account] == [3, 4, 5]
    endpoint.status = 500
    for _ in range(3):
        gemini.emit("batch.failed")
    with pytest.raises(GoogleError):
        gemini.emit("batch.failed")
    await gemini.courier.quiet()
    assert gemini.account.summary() == {
        "total": 8,
        "states": {"pending": 3},
        "attempts": {"500": 3},
    }


async def test_an_endpoint_that_answers_without_end_is_cut_off(clock: ManualClock) -> None:
    async def flood() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 4096

    transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, content=flood()))
    gemini = Gemini(clock, transport=transport)
    register(gemini)
    (delivery,) = gemini.emit("batch.failed")
    await gemini.courier.settled([delivery], 10)
    assert delivery.state == "delivered"
    await gemini.close()
