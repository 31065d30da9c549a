"""The reconciler over HTTP."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.requests import Request

from relay.errors import Refused
from relay.reconciler.function import Reconciler, create
from relay.reconciler.lease import DOCUMENT
from relay.web.identity import Identity
from tests.relay.reconciler.test_settings import ENVIRON
from tests.relay.reconciler.world import SETTINGS, World, batch


class Scheduler:
    """An identity check that knows one caller."""

    async def check(self, headers: Any) -> Identity:
        if (b"authorization", b"Bearer schedule") not in headers:
            raise Refused(401, "no-identity-token")
        return Identity("schedule@example", "reconcile")


def request(method: str = "POST", path: str = "/", caller: str = "schedule") -> Request:
    headers = [(b"authorization", f"Bearer {caller}".encode())]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    return Request({**scope, "query_string": b"", "server": ("reconcile", 80), "scheme": "http"})


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def reconcile(world: World) -> Reconciler:
    check: Any = Scheduler()
    return Reconciler(
        SETTINGS, world.jobs, world.ledger, world.topic, world.gemini.api, check, lambda: world.now
    )


def body(answer: Any) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(answer.body)
    return content


async def test_a_run_is_answered_with_its_account(
    reconcile: Reconciler, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.add("batch", "batches/b1")
    world.gemini.answers["/v1/batches/b1"] = batch(state="BATCH_STATE_SUCCEEDED")
    answer = await reconcile(request())
    assert answer.status_code == 200
    account = {"examined": 1, "ended": 1, "announced": 1, "absorbed": 0}
    assert body(answer) == account | {"overdue": 0, "lost": 0, "failed": 0, "left": 0}
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["announced"] == 1
    # Each request is a run of its own.
    assert body(await reconcile(request()))["examined"] == 0


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (request("GET"), 405),
        (request(path="/elsewhere"), 404),
        (request(caller="other"), 401),
    ],
)
async def test_another_request_is_refused(
    reconcile: Reconciler, world: World, asked: Request, status: int
) -> None:
    assert (await reconcile(asked)).status_code == status
    assert world.jobs.calls == []


async def test_without_an_audience_no_caller_is_checked(world: World) -> None:
    open_to_all = Reconciler(
        SETTINGS, world.jobs, world.ledger, world.topic, world.gemini.api, None, lambda: world.now
    )
    assert (await open_to_all(request(caller=""))).status_code == 200


async def test_a_second_run_is_refused_at_once(reconcile: Reconciler, world: World) -> None:
    await reconcile(request())
    found = world.jobs.documents.read(DOCUMENT)
    assert found is not None
    later = {"lease_until": found.fields["lease_until"].replace(year=9999)}
    world.jobs.documents.update(DOCUMENT, later, found.version)
    world.jobs.calls.clear()
    assert (await reconcile(request())).status_code == 409
    assert world.jobs.calls == ["read"]


async def test_a_refused_key_is_told_without_it(
    reconcile: Reconciler, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.add("batch", "batches/b1")
    world.gemini.answers["/v1/batches/b1"] = 403
    answer = await reconcile(request())
    assert answer.status_code == 502
    assert body(answer) == {"error": "Gemini answered 403 to get: no"}
    assert '"key refused"' in capsys.readouterr().out
    # The lease has ended with the run.
    world.gemini.answers["/v1/batches/b1"] = batch()
    assert (await reconcile(request())).status_code == 200


async def test_without_firestore_the_answer_is_503() -> None:
    environ = {**ENVIRON, "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("relay.gcp.store.CALL_SECONDS", 0.2)
        answer = await create(environ)(request())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


def test_the_environment_makes_the_whole() -> None:
    reconcile = create({**ENVIRON, "FIRESTORE_DATABASE": "gemini-webhooks"})
    databases = [reconcile._jobs._database, reconcile._ledger._database]  # type: ignore[attr-defined]
    prefix = "projects/my-project/databases/"
    assert databases == [f"{prefix}gemini-jobs", f"{prefix}gemini-webhooks"]
    assert reconcile._api.base_url == "https://generativelanguage.googleapis.com"
