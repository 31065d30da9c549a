from typing import Any

import httpx2
import pytest

from localcloud.core.clock import ManualClock
from tests.localcloud.gemini.test_jobs import MODEL, advance, refused, start

# What the SDK's overloads return depends on arguments that these tests pass along.
AsyncClient = Any
AGENT = "antigravity-preview-05-2026"


def call(identifier: str) -> dict[str, Any]:
    return {"type": "function_call", "id": identifier, "name": "ask", "arguments": {"of": 1}}


def result(identifier: str, value: Any = "yes") -> dict[str, Any]:
    return {"type": "function_result", "call_id": identifier, "name": "ask", "result": value}


async def asking(sdk: AsyncClient, http: httpx2.AsyncClient, *steps: Any) -> str:
    identifier = await start(sdk)
    assert await advance(http, identifier, "requires_action", steps=[*steps]) == 200
    return identifier


def follow(previous: str, **options: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": "Go on", "previous_interaction_id": previous, **options}


async def test_an_interaction_calls_functions_and_is_answered(
    sdk: AsyncClient, http: httpx2.AsyncClient
) -> None:
    identifier = await asking(sdk, http, call("c1"), call("c2"))
    shown = await sdk.interactions.get(id=identifier)
    calls = [(step.id, step.name, step.arguments) for step in shown.steps]
    assert calls == [("c1", "ask", {"of": 1}), ("c2", "ask", {"of": 1})]
    answers = [result("c1"), result("c2", {"degrees": 3})]
    answer = await sdk.interactions.create(**follow(identifier, input=answers, background=True))
    assert (answer.status, answer.previous_interaction_id) == ("in_progress", identifier)


async def test_a_call_that_has_its_result_is_not_open(
    sdk: AsyncClient, http: httpx2.AsyncClient
) -> None:
    identifier = await asking(sdk, http, call("c1"), call("c2"), result("c1"))
    assert (await sdk.interactions.create(**follow(identifier, input=[result("c2")]))).id


async def test_a_question_is_text_and_so_is_its_answer(
    sdk: AsyncClient, http: httpx2.AsyncClient
) -> None:
    identifier = await start(sdk)
    await advance(http, identifier, "requires_action", output_text="Which one?")
    assert (await sdk.interactions.get(id=identifier)).output_text == "Which one?"
    assert (await sdk.interactions.create(**follow(identifier))).status == "completed"


@pytest.mark.parametrize(
    "answer",
    [
        [result("c1")],
        [result("c1"), result("c3")],
        [{"type": "function_result", "call_id": "c1"}],
        [{"type": "function_result", "result": "x"}],
    ],
)
async def test_an_answer_that_fits_no_call_is_refused(
    sdk: AsyncClient, http: httpx2.AsyncClient, answer: Any
) -> None:
    identifier = await asking(sdk, http, call("c1"), call("c2"))
    answered = await http.post("/v1beta/interactions", json=follow(identifier, input=answer))
    assert (answered.status_code, answered.json()["error"]["code"]) == (400, "invalid_request")


async def test_an_answer_needs_the_interaction_that_asked(http: httpx2.AsyncClient) -> None:
    body = {"model": MODEL, "input": [result("c1")]}
    assert (await http.post("/v1/interactions", json=body)).status_code == 400


@pytest.mark.parametrize("named", ["agent", "model"])
async def test_a_managed_agent_needs_its_environment(
    sdk: AsyncClient, http: httpx2.AsyncClient, named: str
) -> None:
    who: Any = {named: AGENT}
    first = await sdk.interactions.create(**who, input="x", background=True, environment="remote")
    assert first.environment_id.startswith("env_")
    chained = {**who, "input": "y", "previous_interaction_id": first.id}
    assert await refused(sdk.interactions.create(**chained, environment="remote")) == 400
    await advance(http, first.id, "completed")
    assert await refused(sdk.interactions.create(**chained)) == 400
    second = await sdk.interactions.create(**chained, environment=first.environment_id)
    assert (second.status, second.environment_id) == ("completed", first.environment_id)

    failed = await sdk.interactions.create(**who, input="x", background=True)
    assert failed.environment_id is None
    await advance(http, failed.id, "failed")
    chained["previous_interaction_id"] = failed.id
    assert await refused(sdk.interactions.create(**chained, environment="remote")) == 400
    chained["previous_interaction_id"] = "v1_unknown"
    assert await refused(sdk.interactions.create(**chained)) == 404


async def test_an_environment_is_not_kept_for_ever(sdk: AsyncClient, clock: ManualClock) -> None:
    options: Any = {"agent": AGENT, "input": "x", "environment": {"environment_id": "env_mine"}}
    assert (await sdk.interactions.create(**options)).environment_id == "env_mine"
    await clock.advance(7 * 24 * 3600)
    assert await refused(sdk.interactions.create(**options)) == 404


@pytest.mark.parametrize("environment", [7, {"environment_id": 7}])
async def test_an_invalid_environment_is_refused(
    http: httpx2.AsyncClient, environment: object
) -> None:
    body = {"agent": AGENT, "input": "x", "environment": environment}
    assert (await http.post("/v1/interactions", json=body)).status_code == 400
