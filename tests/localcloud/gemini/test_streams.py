import asyncio
from typing import Any

import httpx2
import pytest

from tests.localcloud.gemini.test_jobs import MODEL, advance, start

# What the SDK's overloads return depends on arguments that these tests pass along.
AsyncClient = Any


async def strike(http: httpx2.AsyncClient, identifier: str, kind: str, **more: Any) -> None:
    fault = {"operation": "interactions.stream", "kind": kind, "id": identifier, **more}
    assert (await http.post("/control/faults", json=fault)).status_code == 200


async def seen(sdk: AsyncClient, identifier: str, after: str | None = None) -> list[Any]:
    stream = await sdk.interactions.get(id=identifier, stream=True, last_event_id=after)
    return [event async for event in stream]


async def test_a_stream_ends_with_the_interaction(sdk: AsyncClient) -> None:
    streamed = await sdk.interactions.create(model=MODEL, input="x", stream=True)
    kinds = [event.event_type async for event in streamed]
    assert kinds == [
        "interaction.created",
        "step.start",
        "step.delta",
        "step.stop",
        "interaction.completed",
    ]


async def test_a_stream_resumes_after_the_last_event_seen(
    sdk: AsyncClient, http: httpx2.AsyncClient
) -> None:
    identifier = await start(sdk)
    await http.post(
        f"/control/jobs/{identifier}/frames",
        json={"frames": [{"event_type": "novelty"}, {"event_type": "novelty", "event_id": None}]},
    )
    await advance(http, identifier, "failed")
    events = await seen(sdk, identifier, after="e2")
    assert [event.event_type for event in events] == [
        "UNKNOWN",
        "error",
        "interaction.status_update",
    ]
    assert events[0].raw == {"event_type": "novelty"}
    unknown = await http.get(f"/v1/interactions/{identifier}?stream=true&last_event_id=e99")
    assert unknown.status_code == 400


async def test_a_stream_is_live(sdk: AsyncClient, http: httpx2.AsyncClient) -> None:
    identifier = await start(sdk)
    streamed = await sdk.interactions.get(id=identifier, stream=True)
    kinds = []
    async for event in streamed:
        kinds.append(event.event_type)
        if event.event_type == "interaction.created":
            await advance(http, identifier, "incomplete")
    assert kinds == ["interaction.created", "interaction.status_update"]


@pytest.mark.parametrize("kind", ["cut-array", "cut-frame"])
async def test_a_stream_may_be_cut_again_at_the_same_place(
    sdk: AsyncClient, http: httpx2.AsyncClient, kind: str
) -> None:
    identifier = await start(sdk)
    await advance(http, identifier, "completed", output_text="one\ntwo\n")
    await strike(http, identifier, kind, after=3, times=2)
    events = await seen(sdk, identifier)
    # The SDK yields what is left of an event as a string, and nothing for an array.
    assert [type(each) is str for each in events] == [False] * 3 + [True] * (kind == "cut-frame")
    again = await seen(sdk, identifier, after=events[2].event_id)
    assert len(again) == (kind == "cut-frame")
    rest = await seen(sdk, identifier, after=events[2].event_id)
    assert [event.event_id for event in rest] == ["e4", "e5", "e6"]


async def test_a_fault_of_a_stream_leaves_other_jobs_and_lookups_alone(
    sdk: AsyncClient, http: httpx2.AsyncClient
) -> None:
    struck, other = await start(sdk), await start(sdk)
    await strike(http, struck, "cut-array")
    await advance(http, other, "completed")
    assert len(await seen(sdk, other)) == 5
    assert (await sdk.interactions.get(id=struck)).status == "in_progress"
    assert await seen(sdk, struck) == []


async def test_the_connection_of_a_stream_may_drop(
    sdk: AsyncClient, http: httpx2.AsyncClient
) -> None:
    identifier = await start(sdk)
    await strike(http, identifier, "cut-connection", after=1)
    with pytest.raises(Exception, match="peer closed connection"):
        await seen(sdk, identifier)


async def test_a_stream_may_fall_silent_though_the_job_has_ended(
    sdk: AsyncClient, http: httpx2.AsyncClient
) -> None:
    identifier = await start(sdk)
    await strike(http, identifier, "silence", after=2)
    stream = await sdk.interactions.get(id=identifier, stream=True)
    await advance(http, identifier, "completed")
    assert [(await anext(stream)).event_type for _ in range(2)] == [
        "interaction.created",
        "step.start",
    ]
    # Everything that there is to send has been sent by now.
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.05)


@pytest.mark.parametrize("settings", [{"deltas_without_ids": True}], indirect=True)
async def test_deltas_may_lack_their_ids(sdk: AsyncClient, http: httpx2.AsyncClient) -> None:
    identifier = await start(sdk)
    await advance(http, identifier, "completed", output_text="one\ntwo\n")
    ids = [event.event_id for event in await seen(sdk, identifier)]
    assert ids == ["e1", "e2", None, None, "e5", "e6"]
    # A resume repeats them unchanged.
    assert len(await seen(sdk, identifier, after="e2")) == 4


@pytest.mark.parametrize(
    ("settings", "status", "told"),
    [
        ({"stream_states_as": "completed"}, "failed", ["interaction.completed"]),
        ({"stream_states_as": "completed"}, "requires_action", ["interaction.status_update"]),
        ({"stream_states_as": "type"}, "incomplete", ["UNKNOWN"]),
    ],
    indirect=["settings"],
)
async def test_a_stream_may_tell_of_a_state_in_another_way(
    sdk: AsyncClient, http: httpx2.AsyncClient, status: str, told: list[str]
) -> None:
    identifier = await start(sdk)
    await advance(http, identifier, status)
    stream = await sdk.interactions.get(id=identifier, stream=True, last_event_id="e1")
    events = [await anext(stream) for _ in told]
    assert [event.event_type for event in events] == told
    assert status in events[0].model_dump_json()


async def test_a_function_call_is_streamed(sdk: AsyncClient, http: httpx2.AsyncClient) -> None:
    identifier = await start(sdk)
    call = {"type": "function_call", "id": "c1", "name": "weather", "arguments": {"city": "Bern"}}
    await advance(http, identifier, "requires_action", steps=[call])
    stream = await sdk.interactions.get(id=identifier, stream=True, last_event_id="e1")
    start_of_step, delta = [await anext(stream) for _ in range(2)]
    assert (start_of_step.step.id, start_of_step.step.arguments) == ("c1", {})
    assert delta.delta.arguments == '{"city": "Bern"}'


@pytest.mark.parametrize(
    "fault",
    [
        {"operation": "interactions.get", "kind": "silence"},
        {"operation": "files.download", "kind": "cut-array"},
        {"operation": "interactions.stream", "kind": "silence", "id": 7},
    ],
)
async def test_a_fault_that_cannot_strike_is_refused(
    http: httpx2.AsyncClient, fault: dict[str, Any]
) -> None:
    assert (await http.post("/control/faults", json=fault)).status_code == 400
