import base64
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from localcloud.gemini.faults import Fault, FaultKind
from relay.errors import ConfigurationError
from relay.gemini.webhooks import GeminiWebhooks
from relay.registrar.function import create
from relay.registrar.settings import EVENTS
from tests.relay.registrar.world import API_KEY, PROJECT, World

URI = "https://receive.example/"
SECRET = f"projects/{PROJECT}/secrets/signing-secret"
METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]
AUDIENCE = "https://registrar.example"
WAITER = "waiter@test-project.iam.gserviceaccount.com"
DEPLOYER = "deployer@example.com"

Open = Callable[..., httpx2.AsyncClient]


@pytest.fixture
async def environ(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, str]]:
    opened: list[GeminiWebhooks] = []

    def remembered(**options: Any) -> GeminiWebhooks:
        opened.append(GeminiWebhooks(**options))
        return opened[-1]

    # A function's client lives as long as its process; a test's must not outlive its loop.
    monkeypatch.setattr("relay.registrar.function.GeminiWebhooks", remembered)
    secret: dict[str, Any] = {"replication": {"automatic": {}}}
    request = {
        "parent": f"projects/{PROJECT}",
        "secret_id": "signing-secret",
        "secret": secret,
    }
    await world.secrets.create_secret(request)
    yield {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "WEBHOOK_NAME": "relay",
        "WEBHOOK_URI": URI,
        "GENERATION": "g1",
        "SIGNING_SECRET": SECRET,
        "GEMINI_API_KEY": API_KEY,
        "GOOGLE_GEMINI_BASE_URL": world.url,
        "SECRET_MANAGER_EMULATOR_HOST": world.secrets_address,
        "FIRESTORE_EMULATOR_HOST": world.firestore_address,
    }
    for webhooks in opened:
        await webhooks.close()


def client(environ: Mapping[str, str]) -> httpx2.AsyncClient:
    handler = create(environ)
    app = Starlette(routes=[Route("/{path:path}", handler, methods=METHODS)])
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=AUDIENCE)


@pytest.fixture
async def http(environ: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(environ) as opened:
        yield opened


async def test_converge_answers_what_it_made(http: httpx2.AsyncClient, world: World) -> None:
    answer = await http.post("/converge")
    (webhook,) = world.gemini.webhooks
    assert answer.status_code == 200
    assert answer.json() == {
        "id": webhook.id,
        "uri": URI,
        "events": sorted(EVENTS),
        "state": "enabled",
        "in_sync": True,
        "generation": "g1",
        "changed": True,
    }
    again = (await http.post("/converge")).json()
    assert (again["changed"], again["in_sync"]) == (False, True)


async def test_a_get_changes_nothing(http: httpx2.AsyncClient, world: World) -> None:
    shown = (await http.get("/webhook")).json()
    assert (shown["state"], shown["in_sync"], shown["generation"]) == ("absent", False, "")
    assert shown["reason"] == "The webhook is not registered."
    await http.post("/converge")
    (webhook,) = world.gemini.webhooks
    webhook.apply({"name": "edited"}, world.clock.time())
    before = len(world.gemini.gate.log)
    shown = (await http.get("/webhook")).json()
    assert (shown["in_sync"], shown["reason"]) == (False, "Not as it should be: name.")
    assert {call.method for call in [*world.gemini.gate.log][before:]} == {"GET"}
    assert webhook.name == "edited"


async def test_waiting_ends_when_the_generation_is_reached(http: httpx2.AsyncClient) -> None:
    await http.post("/converge")
    shown = (await http.get("/webhook?generation=g1&wait=100")).json()
    assert (shown["generation"], shown["in_sync"], shown["changed"]) == ("g1", True, False)


async def test_waiting_ends_with_the_reason(http: httpx2.AsyncClient, world: World) -> None:
    answer = await http.get("/webhook?generation=g1&wait=0")
    assert answer.status_code == 200
    assert answer.json()["reason"] == "No converge has finished for this generation yet."
    other = (await http.get("/webhook?generation=g2")).json()
    assert other["reason"] == "This registrar is to reach generation 'g1'."
    world.gemini.gate.faults.add(Fault("webhooks.create", "error-before", status=400))
    refused = await http.post("/converge")
    assert refused.status_code == 502
    assert "Injected by a test." in refused.json()["error"]
    shown = (await http.get("/webhook?generation=g1")).json()
    assert (shown["state"], shown["generation"]) == ("unknown", "")
    assert shown["reason"] == refused.json()["error"]


async def test_a_wrong_api_key_is_the_reason(environ: dict[str, str]) -> None:
    environ["GEMINI_API_KEY"] = "AIza-wrong-key"
    async with client(environ) as http:
        refused = await http.post("/converge")
        assert refused.status_code == 502
        assert "API key not valid" in refused.json()["error"]
        assert "AIza-wrong-key" not in refused.text
        assert "API key not valid" in (await http.get("/webhook?generation=g1")).text
        assert (await http.get("/webhook")).status_code == 502


async def test_an_unreachable_gemini_is_reported_as_the_reason(
    http: httpx2.AsyncClient, world: World
) -> None:
    await http.post("/converge")
    world.gemini.gate.faults.add(Fault("webhooks.list", "error-before"))
    answer = await http.get("/webhook?generation=g1")
    assert answer.status_code == 200
    assert (answer.json()["generation"], answer.json()["in_sync"]) == ("g1", False)
    assert "503" in answer.json()["reason"]


async def test_ping_rotate_and_removal(http: httpx2.AsyncClient, world: World) -> None:
    assert (await http.post("/ping")).status_code == 409
    assert (await http.post("/rotate")).status_code == 409
    await http.post("/converge")
    assert (await http.post("/ping")).status_code == 200
    young = await http.post("/rotate", json={"if_older_than_seconds": 60})
    assert (young.json()["changed"], young.json()["in_sync"]) == (False, True)
    behavior = {"revocation_behavior": "revoke_previous_secrets_immediately"}
    assert (await http.post("/rotate", json=behavior)).json()["changed"]
    removed = (await http.delete("/webhook")).json()
    assert (removed["changed"], removed["state"]) == (True, "absent")
    assert [*world.gemini.webhooks] == []
    assert not (await http.delete("/webhook")).json()["changed"]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[1]",
        "[" * 4000,
        '{"novelty": 1}',
        '{"\\ud800": 1}',
        '{"revocation_behavior": "later"}',
        '{"revocation_behavior": []}',
        '{"if_older_than_seconds": -1}',
        '{"if_older_than_seconds": "soon"}',
        '{"if_older_than_seconds": true}',
        '{"if_older_than_seconds": NaN}',
        '{"if_older_than_seconds": 1e300}',
        '{"if_older_than_seconds": {}}',
        '{"if_older_than_seconds": ' + "9" * 400 + "}",
    ],
)
async def test_a_wrong_rotation_is_refused(http: httpx2.AsyncClient, content: str) -> None:
    answer = await http.post("/rotate", content=content)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "query", ["wait=1", "wait=-1&generation=g", "wait=x&generation=g", "wait=nan&generation=g"]
)
async def test_a_wrong_wait_is_refused(http: httpx2.AsyncClient, query: str) -> None:
    assert (await http.get(f"/webhook?{query}")).status_code == 400


async def test_a_large_body_is_refused(http: httpx2.AsyncClient) -> None:
    assert (await http.post("/rotate", content=b" " * 4097)).status_code == 413


async def test_unknown_paths_and_methods_are_refused(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/")).status_code == 404
    assert (await http.post("/webhook/")).status_code == 404
    wrong = await http.post("/webhook")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "DELETE, GET")


async def test_without_firestore_the_reason_says_so(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environ["FIRESTORE_EMULATOR_HOST"] = "127.0.0.1:1"
    monkeypatch.setattr("relay.gcp.store.CALL_SECONDS", 0.2)
    async with client(environ) as http:
        answer = await http.post("/converge")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        shown = await http.get("/webhook?generation=g1")
        assert "Firestore gave no answer" in shown.json()["reason"]


async def test_without_credentials_nothing_works(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del environ["FIRESTORE_EMULATOR_HOST"]
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
    async with client(environ) as http:
        answer = await http.post("/converge")
    assert (answer.status_code, "credentials" in answer.text) == (503, True)


def token(email: str, audience: str = AUDIENCE) -> dict[str, str]:
    claims = {
        "iss": "https://accounts.google.com",
        "aud": audience,
        "email": email,
        "email_verified": True,
        "iat": int(time.time()),
        "exp": int(time.time()) + 3600,
    }
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "RS256", "kid": "k"}, claims)
    ]
    return {"authorization": f"Bearer {'.'.join(parts)}.SIGNATURE_REMOVED_BY_GOOGLE"}


@pytest.fixture
async def guarded(environ: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    writers = f"other@x,{DEPLOYER}"
    environ |= {"OIDC_AUDIENCE": AUDIENCE, "WRITERS": writers, "K_SERVICE": "registrar"}
    async with client(environ) as opened:
        yield opened


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/converge"), ("DELETE", "/webhook"), ("POST", "/ping"), ("POST", "/rotate")],
)
@pytest.mark.parametrize("caller", [WAITER, "anybody@example.com"])
async def test_who_is_no_writer_may_only_read(
    guarded: httpx2.AsyncClient, world: World, method: str, path: str, caller: str
) -> None:
    refused = await guarded.request(method, path, headers=token(caller))
    assert refused.status_code == 403
    assert (await guarded.get("/webhook", headers=token(caller))).status_code == 200
    assert (await guarded.request(method, path)).status_code == 401
    assert {call.method for call in world.gemini.gate.log} <= {"GET"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/converge"), ("DELETE", "/webhook"), ("POST", "/ping"), ("POST", "/rotate")],
)
async def test_a_forged_token_beside_the_one_that_cloud_run_judged_writes_nothing(
    guarded: httpx2.AsyncClient, world: World, method: str, path: str
) -> None:
    judged = {"x-serverless-authorization": token(WAITER)["authorization"]}
    refused = await guarded.request(method, path, headers={**judged, **token(DEPLOYER)})
    assert refused.status_code == 403
    assert {call.method for call in world.gemini.gate.log} <= {"GET"}


@pytest.mark.parametrize(
    ("audience", "status"),
    [(AUDIENCE, 200), ("32555940559.apps.googleusercontent.com", 200), ("https://other", 401)],
)
async def test_writers_may_do_everything(
    guarded: httpx2.AsyncClient, audience: str, status: int
) -> None:
    headers = token(DEPLOYER.upper(), audience)
    assert (await guarded.post("/converge", headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("change", "variable"),
    [
        ({"GOOGLE_CLOUD_PROJECT": ""}, "GOOGLE_CLOUD_PROJECT"),
        ({"WEBHOOK_URI": ""}, "WEBHOOK_URI"),
        ({"WEBHOOK_STATE": "gone"}, "WEBHOOK_STATE"),
        ({"SIGNING_SECRET": ""}, "SIGNING_SECRET"),
        ({"SIGNING_SECRET": "signing-secret"}, "SIGNING_SECRET"),
        ({"GEMINI_API_KEY": ""}, "GEMINI_API_KEY"),
        ({"FIRESTORE_DATABASE": "No"}, "FIRESTORE_DATABASE"),
        ({"WRITERS": DEPLOYER}, "OIDC_AUDIENCE"),
        ({"OIDC_AUDIENCE": AUDIENCE}, "WRITERS"),
    ],
)
async def test_a_wrong_environment_stops_the_start(
    environ: dict[str, str], change: dict[str, str], variable: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        create({**environ, **change})
    assert caught.value.variable == variable
    assert API_KEY not in str(caught.value)


async def test_no_secret_is_returned_logged_or_raised(
    http: httpx2.AsyncClient,
    world: World,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    kinds: tuple[FaultKind, ...] = ("error-after", "error-before", "lost-reply")
    faults = [
        Fault(f"webhooks.{operation}", kind)
        for operation in ("list", "create", "rotate", "update", "ping", "get", "delete")
        for kind in kinds
    ]
    said = []
    secrets = {API_KEY}
    for fault in [*faults, None, None]:
        if fault:
            world.gemini.gate.faults.add(fault)
        for method, path in (
            ("POST", "/converge"),
            ("POST", "/rotate"),
            ("POST", "/ping"),
            ("GET", "/webhook"),
            ("GET", "/webhook?generation=g1"),
        ):
            answer = await http.request(method, path)
            said += [answer.text, str(answer.headers)]
            secrets |= {each.value for webhook in world.gemini.webhooks for each in webhook.secrets}
        for webhook in world.gemini.webhooks:
            webhook.apply({"name": "edited"}, world.clock.time())
        await world.clock.advance(100)
    async for document in world.firestore.collection("registrar").stream():
        said.append(str(document.to_dict()))
    captured = capsys.readouterr()
    said += [captured.out, captured.err, caplog.text]
    assert len(secrets) > 10
    everything = "\n".join(said)
    assert [secret for secret in secrets if secret in everything] == []
    assert "whsec_" not in everything.replace("whsec_…", "")
