import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from localcloud.controlplane.api import application
from localcloud.controlplane.door import INTERNAL, Behind, Door
from localcloud.controlplane.state import State
from localcloud.core.clock import ManualClock
from localcloud.core.serving import AppServer

SERVICE = "projects/local-project/locations/eu/services/f"
CALLER = "caller@local-project.iam.gserviceaccount.com"
URL = "https://f-123456789012.eu.run.app"


async def echo(request: Request) -> JSONResponse:
    body = (await request.body()).decode()
    target = f"{request.url.path}?{request.url.query}"
    headers = dict(request.headers)
    seen = {"method": request.method, "target": target, "headers": headers, "body": body}
    return JSONResponse({**seen, "raw": request.headers.items()}, 201)


@pytest.fixture
def state(clock: ManualClock) -> State:
    made = State(clock)
    made.resources.put(f"{made.root}/serviceAccounts/{CALLER}", {"email": CALLER})
    return made


class Behindhand:
    """What stands behind the door, to be changed by a test."""

    internal = False
    timeout = 30.0
    address = ""

    def __call__(self) -> Behind:
        return Behind(SERVICE, frozenset({URL}), self.internal, self.address, self.timeout)


@pytest.fixture
def behind() -> Behindhand:
    return Behindhand()


@pytest.fixture
async def door(state: State, behind: Behindhand) -> AsyncIterator[httpx2.AsyncClient]:
    methods = ["GET", "POST"]
    function = Starlette(routes=[Route("/{path:path}", echo, methods=methods)])
    async with (
        AppServer(function) as server,
        httpx2.AsyncClient(trust_env=False, timeout=None) as upstream,
        AppServer(application(Door(state, "mark", behind, upstream))) as entrance,
        httpx2.AsyncClient(base_url=entrance.url, trust_env=False) as client,
    ):
        behind.address = server.url
        yield client


def invite(state: State, member: str) -> None:
    binding = {"role": "roles/run.invoker", "members": [member]}
    state.policies.set(SERVICE, {"bindings": [binding]})


def bearer(state: State, audience: str = URL) -> dict[str, str]:
    return {"Authorization": f"Bearer {state.issuer.identity_token(CALLER, audience)}"}


async def test_a_request_without_a_token_is_forbidden(door: httpx2.AsyncClient) -> None:
    assert (await door.get("/")).status_code == 403


async def test_a_public_function_is_open_to_everyone(
    door: httpx2.AsyncClient, state: State
) -> None:
    invite(state, "allUsers")
    answer = await door.post("/a%2Fb/c?d=e", content=b"body", headers={"X-Mine": "1"})
    assert answer.status_code == 201
    seen: dict[str, Any] = answer.json()
    assert (seen["method"], seen["body"], seen["headers"]["x-mine"]) == ("POST", "body", "1")
    assert seen["target"] == "/a/b/c?d=e"
    assert seen["headers"]["x-forwarded-proto"] == "https"


async def test_the_signature_of_an_invokers_token_is_stripped(
    door: httpx2.AsyncClient, state: State
) -> None:
    invite(state, f"serviceAccount:{CALLER}")
    answer = await door.get("/", headers=bearer(state))
    passed_on = answer.json()["headers"]["authorization"]
    assert passed_on.endswith(".SIGNATURE_REMOVED_BY_GOOGLE")
    (entry,) = state.journal.since()
    assert (entry.identity, entry.call) == (f"serviceAccount:{CALLER}", "GET f/")


async def test_a_caller_without_the_invoker_role_is_forbidden(
    door: httpx2.AsyncClient, state: State
) -> None:
    assert (await door.get("/", headers=bearer(state))).status_code == 403


@pytest.mark.parametrize("token", ["none", "a.b.c"])
async def test_a_bad_token_is_unauthorized(
    door: httpx2.AsyncClient, state: State, token: str
) -> None:
    invite(state, f"serviceAccount:{CALLER}")
    answer = await door.get("/", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert "invalid_token" in answer.headers["www-authenticate"]


async def test_a_token_for_another_service_is_unauthorized(
    door: httpx2.AsyncClient, state: State
) -> None:
    invite(state, f"serviceAccount:{CALLER}")
    assert (await door.get("/", headers=bearer(state, "https://g"))).status_code == 401


async def test_the_serverless_header_is_judged_and_the_other_passes_untouched(
    door: httpx2.AsyncClient, state: State
) -> None:
    invite(state, f"serviceAccount:{CALLER}")
    token = bearer(state)["Authorization"]
    forged = "Bearer a.b.SIGNATURE_REMOVED_BY_GOOGLE"
    headers = {"X-Serverless-Authorization": token, "Authorization": forged}
    seen = (await door.get("/", headers=headers)).json()["headers"]
    assert seen["authorization"] == forged
    assert seen["x-serverless-authorization"].endswith("REMOVED_BY_GOOGLE")


async def test_a_good_token_does_not_make_up_for_a_bad_serverless_one(
    door: httpx2.AsyncClient, state: State
) -> None:
    invite(state, f"serviceAccount:{CALLER}")
    headers = {**bearer(state), "X-Serverless-Authorization": "Bearer none"}
    assert (await door.get("/", headers=headers)).status_code == 401


async def test_a_header_that_is_there_twice_reaches_the_function_twice(
    door: httpx2.AsyncClient, state: State
) -> None:
    invite(state, f"serviceAccount:{CALLER}")
    token = bearer(state)["Authorization"]
    twice = [("Authorization", token), ("Authorization", "Bearer second"), ("X-Mine", "1")]
    seen = (await door.get("/", headers=twice)).json()["raw"]
    first, second = (value for name, value in seen if name == "authorization")
    assert first.endswith("REMOVED_BY_GOOGLE")
    assert second == "Bearer second"


async def test_an_internal_function_is_404_from_outside(
    door: httpx2.AsyncClient, state: State, behind: Behindhand
) -> None:
    invite(state, "allUsers")
    behind.internal = True
    assert (await door.get("/")).status_code == 404
    assert (await door.get("/", headers={INTERNAL: "guess"})).status_code == 404
    answer = await door.get("/", headers={INTERNAL: "mark"})
    assert answer.status_code == 201
    assert INTERNAL not in json.dumps(answer.json())


async def test_a_function_that_does_not_answer_is_503(
    door: httpx2.AsyncClient, state: State, behind: Behindhand
) -> None:
    invite(state, "allUsers")
    behind.address = "http://127.0.0.1:1"
    assert (await door.get("/")).status_code == 503


async def test_a_request_over_the_functions_timeout_is_504(
    door: httpx2.AsyncClient, state: State, behind: Behindhand
) -> None:
    invite(state, "allUsers")
    behind.timeout = 0.0
    assert (await door.get("/")).status_code == 504
