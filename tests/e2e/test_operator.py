"""The operator's commands against the laptop stack with the real functions."""

import asyncio
import contextlib
import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from typer.testing import CliRunner

from hooks.cli import app
from hooks.doctor import checks
from hooks.errors import HooksError
from localcloud.core import clients
from localcloud.core.rpc import Call, RpcError
from localcloud.laptop import stack
from tests.e2e.conftest import PUBLISH, Operator, World, identifier
from tests.e2e.test_commands import hooks
from tests.support.serving import serving


@pytest.fixture
def webhook(world: World) -> Any:
    """The registered webhook as the simulator has it."""
    return world.stack.gemini.webhooks.find(world.stack.webhook.id)


def only(found: dict[str, dict[str, str]], failing: str) -> dict[str, str]:
    """Return the finding of the one check that failed."""
    assert [name for name, each in found.items() if each["status"] == "failed"] == [failing]
    assert found[failing]["remedy"]
    return found[failing]


def commands(remedy: str) -> list[list[str]]:
    """Return the commands that a remedy prints, as words, without `hooks`."""
    return [shlex.split(each)[1:] for each in re.findall(r"`(hooks [^`]+)`", remedy)]


@pytest.fixture
def real_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what would lead to Gemini itself, and nothing that leads to the stack."""
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-somebodys-real-key")
    monkeypatch.delenv("GOOGLE_GEMINI_BASE_URL", raising=False)


@pytest.mark.usefixtures("real_key")
async def test_the_remedy_for_a_disabled_webhook_works_as_printed(
    operator: Operator, webhook: Any
) -> None:
    webhook.state = "disabled"
    [enable] = commands((await operator.examine())[checks.STATE]["remedy"])
    done = await operator.runs(*enable)
    assert (done.exit_code, webhook.state) == (0, "enabled"), done.output


@pytest.mark.usefixtures("real_key")
async def test_the_remedy_for_a_missing_webhook_works_as_printed(
    operator: Operator, webhook: Any
) -> None:
    webhooks = operator.world.stack.gemini.webhooks
    before, webhook.uri = webhook.uri, "https://elsewhere.example/"
    try:
        [apply] = commands((await operator.examine())[checks.REGISTERED]["remedy"])
        done = await operator.runs(*apply)
        assert done.exit_code == 0, done.output
        [made] = [each for each in webhooks if each.uri == before]
        assert (await operator.examine())[checks.PING]["status"] == "ok"
        deleted = await operator.runs("webhook", "delete", made.id, "--yes")
        assert deleted.exit_code == 0, deleted.output
    finally:
        webhook.uri = before
    assert [each.id for each in webhooks] == [webhook.id]


@pytest.mark.usefixtures("real_key")
async def test_the_remedy_for_a_lost_ping_works_as_printed(operator: Operator) -> None:
    finding = await lost_ping(operator)
    [rotate] = commands(finding["remedy"])
    before = operator.world.stack.gemini.webhooks.find(operator.world.stack.webhook.id)
    secrets = len(before.secrets)
    done = await operator.runs(*rotate)
    assert done.exit_code == 0, done.output
    assert len(before.secrets) == secrets + 1
    # The stack's receiver verifies with the secret that the command has stored.
    before.secrets[1:] = []
    assert (await operator.examine())[checks.PING]["status"] == "ok"


async def lost_ping(operator: Operator) -> dict[str, str]:
    """Return the finding of a doctor that waits for pings of a type that nobody sends."""
    return (await operator.examine("--ping-type", "nothing", "--wait", "1"))[checks.PING]


async def test_send_refuses_a_disabled_webhook_and_finds_one_that_was_made_anew(
    operator: Operator, webhook: Any
) -> None:
    world = operator.world
    webhook.state = "disabled"
    refused = await operator.runs("send", "batch.succeeded")
    assert isinstance(refused.exception, HooksError)
    [enable] = commands(str(refused.exception))
    assert (await operator.runs(*enable)).exit_code == 0
    assert (await operator.runs("send", "batch.succeeded")).exit_code == 0

    before, webhook.uri = webhook.uri, "https://elsewhere.example/"
    try:
        gone = await operator.runs("send", "batch.succeeded")
        assert "hooks webhook apply" in str(gone.exception)
        assert (await operator.runs("webhook", "apply")).exit_code == 0
        sent = await operator.runs("send", "batch.succeeded", "--json")
        [delivery] = json.loads(sent.stdout)["deliveries"]
        assert delivery["state"] == "delivered"
        assert delivery["registered"] != webhook.id
        await operator.runs("webhook", "delete", delivery["registered"], "--yes")
    finally:
        webhook.uri = before
    await world.dispatched()


async def test_a_captured_delivery_is_verified_with_the_keys_of_the_stack(
    operator: Operator, webhook: Any
) -> None:
    captured: list[tuple[dict[str, str], bytes]] = []

    async def capture(request: Request) -> Response:
        captured.append((dict(request.headers), await request.body()))
        return Response(status_code=204)

    gemini = operator.world.stack.gemini
    async with serving(Starlette(routes=[Route("/", capture, methods=["POST"])])) as url:
        deliveries = gemini.emit("batch.failed", uris=[f"{url}/"], scheme="v1a")
        await gemini.courier.settled(deliveries, 30)
    [(headers, body)] = captured
    moment = datetime.now(UTC)
    secret = webhook.active_secrets(moment.timestamp())[0]
    signature = Webhook(secret).sign(headers["webhook-id"], moment, body.decode())
    static = {"webhook-timestamp": str(int(moment.timestamp())), "webhook-signature": signature}
    (operator.directory / "body").write_bytes(body)
    for given, scheme in ((headers, "v1a"), ({**headers, **static}, "v1")):
        (operator.directory / "headers").write_text(json.dumps(given))
        result = await operator.runs("verify", "body", "--headers", "headers", "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["scheme"] == scheme


async def test_of_a_stack_that_is_well_the_doctor_finds_nothing_wrong(operator: Operator) -> None:
    found = await operator.examine()
    assert {each["status"] for each in found.values()} == {"ok"}, found
    assert len(found) == 6
    subscriptions = await leftovers(operator.world)
    assert subscriptions == []

    told = await operator.runs("doctor")
    assert told.exit_code == 0
    assert told.stdout.count("✔") == 6


@pytest.mark.parametrize(
    ("wrong", "said", "remedy"),
    [
        ("disabled", "somebody disabled it", "--state enabled"),
        ("disabled_due_to_failed_deliveries", "too many failed deliveries", "--state enabled"),
        ("resting", "does not know that state", "--state enabled"),
    ],
)
async def test_a_webhook_that_is_not_enabled(
    operator: Operator, webhook: Any, wrong: str, said: str, remedy: str
) -> None:
    webhook.state = wrong
    try:
        found = await operator.examine()
    finally:
        webhook.state = "enabled"
    finding = only(found, checks.STATE)
    assert said in finding["detail"]
    assert remedy in finding["remedy"]
    assert webhook.id in finding["remedy"]
    assert found[checks.PING]["status"] == "skipped"


async def test_a_webhook_that_is_not_registered(operator: Operator, webhook: Any) -> None:
    before, webhook.uri = webhook.uri, "https://elsewhere.example/"
    try:
        found = await operator.examine()
    finally:
        webhook.uri = before
    finding = only(found, checks.REGISTERED)
    assert operator.world.uri in finding["detail"]
    assert "hooks webhook apply" in finding["remedy"]
    assert found[checks.STATE]["status"] == found[checks.PING]["status"] == "skipped"


async def test_a_gemini_that_refuses(operator: Operator) -> None:
    gate = operator.world.stack.gemini.gate
    with accepting(gate, frozenset({"another-key"})):
        found = await operator.examine()
    finding = only(found, checks.REGISTERED)
    assert "GEMINI_API_KEY" in finding["remedy"]


@contextlib.contextmanager
def accepting(gate: Any, keys: frozenset[str]) -> Iterator[None]:
    before = gate._settings
    gate._settings = replace(before, api_keys=keys)
    try:
        yield
    finally:
        gate._settings = before


async def test_a_receiver_that_is_gone(operator: Operator) -> None:
    receive = operator.world.stack.receive
    await receive.terminate()
    try:
        found = await operator.examine("--url", "http://127.0.0.1:9", "--wait", "2")
    finally:
        await receive.start()
    assert found[checks.ANSWERS]["status"] == found[checks.REFUSES]["status"] == "failed"
    assert "invoker" in found[checks.ANSWERS]["remedy"]


def answering(status: int) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        return Response(status_code=200 if request.method == "GET" else status)

    return answer


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (200, "accepts what anybody sends"),
        (503, "signing secret"),
        (403, "allUsers"),
        (404, "something else"),
    ],
)
async def test_an_address_that_does_not_refuse_a_forgery(
    operator: Operator, webhook: Any, status: int, remedy: str
) -> None:
    impostor = Starlette(
        routes=[Route("/", answering(status), methods=["GET", "POST"])],
    )
    before = webhook.uri
    async with serving(impostor) as url:
        webhook.uri = url
        try:
            found = await operator.examine("--url", url, "--wait", "1")
        finally:
            webhook.uri = before
    assert found[checks.ANSWERS]["status"] == "ok"
    assert found[checks.REFUSES]["status"] == "failed"
    assert str(status) in found[checks.REFUSES]["detail"]
    assert remedy in found[checks.REFUSES]["remedy"]
    # What the impostor takes never reaches the ingress topic.
    assert "ingress" in found[checks.PING]["detail"]
    assert "hooks webhook rotate" in found[checks.PING]["remedy"]


async def test_a_receiver_that_is_unwell(operator: Operator) -> None:
    found = await operator.examine("--url", f"{operator.world.stack.gemini_url}/v1/nothing")
    assert found[checks.ANSWERS]["status"] == "failed"
    assert "404" in found[checks.ANSWERS]["detail"]


async def test_a_ping_that_the_dispatcher_cannot_pass_on(operator: Operator) -> None:
    world = operator.world

    async def refuse(call: Call) -> None:
        topic = getattr(call.request, "topic", "")
        if call.method == PUBLISH and topic == world.stack.names.events:
            raise RpcError(grpc.StatusCode.PERMISSION_DENIED, "an outage")

    with world.faults.injected(refuse):
        found = await operator.examine("--wait", "3")
    finding = only(found, checks.PING)
    assert "verified and stored" in finding["detail"]
    assert "dispatcher" in finding["remedy"]
    await world.dispatched()


async def test_dead_letters_that_wait(operator: Operator) -> None:
    world = operator.world
    deliveries = world.emit("batch.succeeded", body=b"no json")
    assert await world.taken(deliveries)
    await world.dispatched()

    finding = only(await operator.examine(), checks.EMPTY)
    assert "1 (1 not-json)" in finding["detail"]
    assert "hooks dlq replay" not in finding["remedy"]
    told = await operator.runs("doctor")
    assert "✘" in told.stdout
    assert "→" in told.stdout

    look, purge = commands(finding["remedy"])
    listed = await hooks(*look, "--json", cwd=operator.directory)
    [letter] = json.loads(listed.stdout)["dead_letters"]
    assert letter["event_id"] == identifier(deliveries)
    purged = await hooks(*purge, "--yes", cwd=operator.directory)
    assert (purged.returncode, purged.stdout) == (0, "1 deleted\n")


async def test_the_tools_beside_the_stack(operator: Operator) -> None:
    world = operator.world
    async with world.subscribed() as inbox:
        deliveries = world.emit("batch.succeeded", user_metadata={"team": "blue"})
        event = identifier(deliveries)
        await inbox.until(event)
        await world.dispatched()

        shown = await hooks("events", "show", event, "--payload", "--json", cwd=operator.directory)
        [entry] = json.loads(shown.stdout)["events"]
        assert entry["state"] == "done"
        assert entry["routes_done"] == ["blue", "events"]
        assert entry["payload"]["user_metadata"] == {"team": "blue"}

        replayed = await hooks(
            "events", "replay", "--id", event, "--route", "events", cwd=operator.directory
        )
        assert replayed.returncode == 0, replayed.stderr
        assert replayed.stdout.startswith("1 event replayed as ")
        # On a busy machine Pub/Sub may deliver the event's own message again first.
        async with asyncio.timeout(30):
            while "replay" not in inbox.of(event)[-1].attributes:
                inbox.received.append(await anext(inbox.messages))
    *earlier, last = inbox.of(event)
    first = earlier[0]
    assert all("replay" not in each.attributes for each in earlier)
    assert len({each.message_id for each in earlier}) <= entry["attempt"]
    assert last.attributes["replay"] in replayed.stdout
    assert first.data == last.data


async def test_without_rights_the_doctor_says_which(operator: Operator) -> None:
    world = operator.world

    async def refuse(call: Call) -> None:
        service, _, method = call.method.rpartition("/")
        if service.endswith("Subscriber") and method not in ("Acknowledge", "StreamingPull"):
            raise RpcError(grpc.StatusCode.PERMISSION_DENIED, "no right")

    with world.faults.injected(refuse):
        found = await operator.examine()
    assert "roles/pubsub.editor" in found[checks.PING]["remedy"]
    assert "roles/pubsub.subscriber" in found[checks.EMPTY]["remedy"]


def test_without_a_stack_or_a_name_there_is_nothing_to_operate_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["doctor"], ["dlq", "list"], ["events", "list"]):
        result = CliRunner().invoke(app, command)
        assert isinstance(result.exception, HooksError)
        assert "--outputs or --project" in str(result.exception)


async def leftovers(world: World) -> list[str]:
    async with clients.subscriber(world.stack.hosts[stack.PUBSUB]) as client:
        listed = await client.list_subscriptions(project=f"projects/{world.stack.names.project}")
        return [each.name async for each in listed if "/hooks-doctor" in each.name]
