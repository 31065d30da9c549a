"""The real functions check their callers: tokens of a local issuer, with and without signature."""

import base64
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import jwt
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.core.serving import AppServer
from localcloud.runner.process import FunctionProcess
from relay.web.identity import STRIPPED
from tests.e2e.conftest import World

AUDIENCE = "https://dispatch.example"
PUSH = "push@laptop.iam.gserviceaccount.com"
WAIT = "wait@laptop.iam.gserviceaccount.com"
DEPLOYER = "deployer@laptop.iam.gserviceaccount.com"
KEY, STRANGERS_KEY = generate_private_key(65537, 2048), generate_private_key(65537, 2048)


def token(key: RSAPrivateKey = KEY, **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "email": PUSH,
        "email_verified": True,
        "sub": "1",
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": "issuer-1"})


def stripped(whole: str) -> str:
    return f"{whole.rpartition('.')[0]}.{STRIPPED}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def issuer() -> AsyncIterator[str]:
    async def keys(_request: Request) -> Response:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        public.pop("key_ops")
        return JSONResponse({"keys": [{**public, "kid": "issuer-1", "alg": "RS256"}]})

    async with AppServer(Starlette(routes=[Route("/certs", keys)])) as server:
        yield f"{server.url}/certs"


@contextlib.asynccontextmanager
async def running(world: World, target: str, **environ: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Run one more function beside the stack, with its identity check on."""
    stack = world.stack
    beside = {
        **stack.variables,
        "OIDC_AUDIENCE": AUDIENCE,
        "EVENTS_TOPIC": stack.names.events,
        "DEAD_LETTER_TOPIC": stack.names.dead_letter,
        "SIGNING_SECRET": stack.names.signing_secret,
        "WEBHOOK_URI": "https://nobody.example/",
        "GEMINI_API_KEY": "laptop",
        **environ,
    }
    function = FunctionProcess(
        f"{target}-guarded",
        target=target,
        environ=beside,
        on_line=lambda name, line: world.lines.append((name, line)),
    )
    async with (
        function,
        httpx2.AsyncClient(base_url=function.url, timeout=60.0, trust_env=False) as client,
    ):
        yield client


def push(identifier: str) -> dict[str, Any]:
    attributes = {"webhook-id": identifier, "dedup-key": identifier, "scheme": "v1"}
    data = base64.b64encode(json.dumps({"type": "identity.checked"}).encode()).decode()
    return {"message": {"data": data, "attributes": attributes, "messageId": "1"}}


async def status(client: httpx2.AsyncClient, identifier: str, bearer: str | None) -> int:
    headers = {} if bearer is None else {"authorization": f"Bearer {bearer}"}
    return (await client.post("/", json=push(identifier), headers=headers)).status_code


async def test_the_dispatcher_refuses_all_but_its_push_identity(world: World, issuer: str) -> None:
    async with (
        running(world, "dispatch", OIDC_JWKS_URI=issuer, OIDC_EMAILS=PUSH) as client,
        world.subscribed('attributes.ce-type = "identity.checked"') as inbox,
    ):
        refused = [
            (None, 401),
            ("e30.e30.e30", 401),
            (token(STRANGERS_KEY), 401),
            (token(aud="https://somebody.else"), 401),
            (token(iss="https://issuer.example"), 401),
            (token(exp=int(time.time()) - 3600), 401),
            (token(email_verified=False), 401),
            (stripped(token()), 401),
            (token(email=DEPLOYER), 403),
        ]
        for number, (bearer, expected) in enumerate(refused):
            assert await status(client, f"refused-{number}", bearer) == expected
        assert await status(client, "accepted", token()) == 204
        await inbox.until("accepted")
        assert inbox.ids() == ["accepted"]


async def test_a_token_without_its_signature_counts_only_on_cloud_run(
    world: World, issuer: str
) -> None:
    cloud = {"OIDC_JWKS_URI": issuer, "OIDC_EMAILS": PUSH, "K_SERVICE": "dispatch"}
    async with running(world, "dispatch", **cloud) as client:
        assert await status(client, "on-the-platform-1", stripped(token())) == 204
        # A signature that is there counts there too.
        assert await status(client, "on-the-platform-2", token()) == 204
        assert await status(client, "on-the-platform-3", token(STRANGERS_KEY)) == 401
        other = stripped(token(aud="https://somebody.else"))
        assert await status(client, "on-the-platform-4", other) == 401
        assert await status(client, "on-the-platform-5", stripped(token(email=DEPLOYER))) == 403


SERVERLESS = "x-serverless-authorization"
TOKENS = {
    # What each is answered with where Cloud Run judges it, and then has removed its signature.
    "none": ("", 401),
    "listed": (stripped(token()), 204),
    "not listed": (stripped(token(email=DEPLOYER)), 403),
    "for others": (stripped(token(aud="https://somebody.else")), 401),
    "strangers": (token(STRANGERS_KEY), 401),
    "no token": ("e30.e30.", 401),
}


async def test_of_two_identity_headers_the_dispatcher_reads_the_one_that_cloud_run_judges(
    world: World, issuer: str
) -> None:
    cloud = {"OIDC_JWKS_URI": issuer, "OIDC_EMAILS": PUSH, "K_SERVICE": "dispatch"}
    async with running(world, "dispatch", **cloud) as client:
        for judged, beside in itertools.product(TOKENS, TOKENS):
            pairs = ((SERVERLESS, judged), ("authorization", beside))
            sent = [(name, f"Bearer {TOKENS[kind][0]}") for name, kind in pairs if kind != "none"]
            expected = TOKENS[beside if judged == "none" else judged][1]
            assert await pushed(client, f"{judged}-{beside}", sent) == expected, (judged, beside)
            for repeated in sent:
                both = [*sent, repeated]
                assert await pushed(client, f"{judged}-{beside}-twice", both) == 401


async def pushed(
    client: httpx2.AsyncClient, identifier: str, headers: list[tuple[str, str]]
) -> int:
    return (await client.post("/", json=push(identifier), headers=headers)).status_code


async def test_a_forged_token_beside_a_readers_gives_the_reader_nothing(
    world: World, issuer: str
) -> None:
    cloud = {
        "OIDC_JWKS_URI": issuer,
        "OIDC_EMAILS": f"{DEPLOYER},{WAIT}",
        "WRITERS": DEPLOYER,
        "WEBHOOK_STATE": "absent",
        "K_SERVICE": "registrar",
    }
    reader, forged = stripped(token(email=WAIT)), stripped(token(STRANGERS_KEY, email=DEPLOYER))
    headers = [(SERVERLESS, f"Bearer {reader}"), ("authorization", f"Bearer {forged}")]
    async with running(world, "registrar", **cloud) as client:
        for method, path, expected in (
            ("GET", "/webhook", 200),
            ("DELETE", "/webhook", 403),
            ("POST", "/converge", 403),
            ("POST", "/rotate", 403),
            ("POST", "/ping", 403),
        ):
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == expected, (method, path, answer.text)


async def test_the_registrar_refuses_unlisted_callers(world: World, issuer: str) -> None:
    callers = {
        "OIDC_JWKS_URI": issuer,
        "OIDC_EMAILS": f"{DEPLOYER},{WAIT}",
        "WRITERS": DEPLOYER,
        # Its state is its own: the stack has a webhook already.
        "WEBHOOK_STATE": "absent",
    }
    async with running(world, "registrar", **callers) as client:
        for method, path, bearer, expected in (
            ("GET", "/webhook", None, 401),
            ("GET", "/webhook", token(STRANGERS_KEY, email=DEPLOYER), 401),
            ("GET", "/webhook", stripped(token(email=DEPLOYER)), 401),
            ("GET", "/webhook", token(email=PUSH), 403),
            ("GET", "/webhook", token(email=WAIT), 200),
            ("DELETE", "/webhook", token(email=WAIT), 403),
            ("POST", "/rotate", token(email=WAIT), 403),
            ("POST", "/converge", token(email=WAIT), 403),
            ("POST", "/converge", token(email=DEPLOYER), 200),
        ):
            headers = {} if bearer is None else {"authorization": f"Bearer {bearer}"}
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == expected, (method, path, answer.text)
