import asyncio
from typing import Any

import httpx2
import jwt
import pytest
from google import genai
from google.genai._interactions import APIConnectionError, APIStatusError

from localcloud.core.clock import ManualClock
from localcloud.gemini import Gemini
from tests.localcloud.gemini.conftest import URI, Endpoint

AsyncClient = genai.client.AsyncClient
CREATE: Any = {"uri": URI, "subscribed_events": ["batch.failed"]}


async def inject(http: httpx2.AsyncClient, kind: str, **options: Any) -> None:
    fault = {"operation": "webhooks.create", "kind": kind, **options}
    answer = await http.post("/control/faults", json=fault)
    assert answer.status_code == 200


async def test_deliver_shows_what_became_of_it(http: httpx2.AsyncClient, gemini: Gemini) -> None:
    gemini.webhooks.create(CREATE)
    request = {"type": "batch.failed", "times": 2, "wait_seconds": 10, "at": 1_700_000_000}
    shown = (await http.post("/control/deliver", json=request)).json()["deliveries"]
    assert [each["state"] for each in shown] == ["delivered", "delivered"]
    assert [each["attempts"][0]["status"] for each in shown] == [200, 200]
    assert len({each["webhook_id"] for each in shown}) == 1
    query = f"/control/deliveries?webhook_id={shown[0]['webhook_id']}&state=delivered"
    assert (await http.get(query)).json()["deliveries"] == shown
    assert (await http.get("/control/deliveries?state=failed")).json()["deliveries"] == []
    assert (await http.get("/control/summary")).json()["total"] == 2


async def test_deliver_takes_everything_an_emission_has(
    http: httpx2.AsyncClient, endpoint: Endpoint
) -> None:
    request = {
        "type": "novelty",
        "uris": [URI],
        "scheme": "v1a",
        "forgery": "garbage-header",
        "body_base64": "/w==",
        "webhook_id": "evt_x",
        "user_metadata": {"k": "v"},
        "data": {},
        "wait_seconds": 10,
    }
    (shown,) = (await http.post("/control/deliver", json=request)).json()["deliveries"]
    assert (shown["forgery"], shown["scheme"]) == ("garbage-header", "v1a")
    assert endpoint.requests[0].content == b"\xff"
    request |= {"body": "text"}
    del request["body_base64"]
    await http.post("/control/deliver", json=request)
    assert endpoint.requests[1].content == b"text"


@pytest.mark.parametrize(
    "change",
    [
        {"type": None},
        {"scheme": "v3"},
        {"forgery": "nonsense"},
        {"times": 0},
        {"times": "1"},
        {"uris": URI},
        {"uris": ["http://relay.example"]},
        {"to": [7]},
        {"to": ["unknown"]},
        {"data": 1},
        {"at": "now"},
        {"at": True},
        {"body": 1},
        {"body_base64": "%"},
        {"wait_seconds": "long"},
    ],
)
async def test_deliver_refuses_invalid_options(http: httpx2.AsyncClient, change: Any) -> None:
    request = {"type": "batch.failed", "uris": [URI], **change}
    if "to" in change:
        del request["uris"]
    assert (await http.post("/control/deliver", json=request)).status_code in {400, 404}


@pytest.mark.parametrize(("kind", "number"), [("OKP", 3), ("RSA", 2)])
async def test_keys_rotate(
    http: httpx2.AsyncClient, gemini: Gemini, kind: str, number: int
) -> None:
    before = (await http.get("/.well-known/jwks.json")).json()
    kid = (await http.post("/control/keys:rotate", json={"kind": kind})).json()["kid"]
    answer = await http.get("/.well-known/jwks.json")
    assert "max-age=3600" in answer.headers["cache-control"]
    after = [key["kid"] for key in answer.json()["keys"] if key["kty"] == kind]
    assert (len(after), kid in after) == (number, True)
    assert kid not in str(before)
    assert {gemini.keys.ed25519.kid, gemini.keys.rsa.kid} & {kid}
    await http.post("/control/keys:rotate", json={"kind": kind, "retire_others": True})
    retired = (await http.get("/.well-known/jwks.json")).json()["keys"]
    assert len([key for key in retired if key["kty"] == kind]) == 1


async def test_every_published_key_can_be_parsed(http: httpx2.AsyncClient) -> None:
    keys = (await http.get("/.well-known/jwks.json")).json()
    assert [key["kty"] for key in keys["keys"]] == ["OKP", "OKP", "OKP", "RSA"]
    assert len(jwt.PyJWKSet.from_dict(keys).keys) == 4
    assert "d" not in {name for key in keys["keys"] for name in key}


async def test_an_unknown_kind_of_key_is_refused(http: httpx2.AsyncClient) -> None:
    assert (await http.post("/control/keys:rotate", json={"kind": "EC"})).status_code == 400


@pytest.mark.parametrize(
    ("kind", "acted"),
    [("error-before", False), ("error-after", True), ("lost-request", False), ("lost-reply", True)],
)
async def test_a_fault_strikes_before_or_after_the_effect(
    sdk: AsyncClient, http: httpx2.AsyncClient, gemini: Gemini, kind: str, acted: bool
) -> None:
    await inject(http, kind, skip=1, status=500)
    await sdk.webhooks.create(**CREATE)
    with pytest.raises(APIStatusError if "error" in kind else APIConnectionError):
        await sdk.webhooks.create(**CREATE)
    assert len([*gemini.webhooks]) == 1 + acted
    await sdk.webhooks.create(**CREATE)
    calls = (await http.get("/control/requests")).json()["requests"]
    assert [call["operation"] for call in calls] == ["webhooks.create"] * 3
    assert calls[1]["status"] == (500 if "error" in kind else None)


@pytest.mark.parametrize(("kind", "acted"), [("hang-before", 0), ("hang-after", 1)])
async def test_a_call_may_hang(
    sdk: AsyncClient, http: httpx2.AsyncClient, gemini: Gemini, kind: str, acted: int
) -> None:
    await inject(http, kind)
    hanging = asyncio.ensure_future(sdk.webhooks.create(**CREATE))
    # The server runs on this loop, and tells nobody that it hangs.
    while gemini.gate.faults.describe() or len([*gemini.webhooks]) < acted:  # noqa: ASYNC110
        await asyncio.sleep(0)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    assert len([*gemini.webhooks]) == acted


async def test_a_call_may_be_slow(
    sdk: AsyncClient, http: httpx2.AsyncClient, clock: ManualClock
) -> None:
    await inject(http, "slow", seconds=5)
    call = asyncio.ensure_future(sdk.webhooks.create(**CREATE))
    while not call.done():
        await clock.advance(1)
    assert (await call).id


async def test_faults_can_be_seen_and_cleared(sdk: AsyncClient, http: httpx2.AsyncClient) -> None:
    await inject(http, "error-before", times=2)
    (fault,) = (await http.get("/control/faults")).json()["faults"]
    assert (fault["kind"], fault["times"]) == ("error-before", 2)
    await http.delete("/control/faults")
    assert (await sdk.webhooks.create(**CREATE)).id


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"operation": "webhooks.get", "kind": "nonsense"},
        {"operation": "webhooks.get", "kind": "error-before", "status": 200},
        {"operation": "webhooks.get", "kind": "error-before", "novelty": 1},
        {"operation": "webhooks.get", "kind": "error-before", "times": "1"},
    ],
)
async def test_an_invalid_fault_is_refused(http: httpx2.AsyncClient, fault: Any) -> None:
    assert (await http.post("/control/faults", json=fault)).status_code == 400


async def test_the_controls_show_no_secret(http: httpx2.AsyncClient, gemini: Gemini) -> None:
    secret = gemini.webhooks.create(CREATE)["new_signing_secret"]
    gemini.emit("batch.failed")
    await gemini.courier.quiet()
    for path in ("deliveries", "summary", "requests", "faults", "jobs"):
        text = (await http.get(f"/control/{path}")).text
        assert secret not in text
        assert "test-api-key" not in text


async def test_pending_deliveries_and_jobs_end_with_the_simulator(
    gemini: Gemini, endpoint: Endpoint
) -> None:
    gemini.webhooks.create(CREATE)
    endpoint.status = 500
    gemini.emit("batch.failed")
    await gemini.courier.quiet()
    await gemini.close()
    assert [task for task in asyncio.all_tasks() if "Courier" in repr(task)] == []
