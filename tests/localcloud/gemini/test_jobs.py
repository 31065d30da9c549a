import json
from collections import Counter
from typing import Any

import httpx2
import pytest
from google.genai import types
from google.genai._interactions import APIStatusError

from localcloud.core.clock import ManualClock
from localcloud.gemini import Gemini
from tests.localcloud.gemini.conftest import URI, Endpoint

# What the SDK's overloads return depends on arguments that these tests pass along.
AsyncClient = Any
MODEL = "gemini-3-flash-preview"
CONFIG: Any = {"uris": [URI], "user_metadata": {"correlation": "c1"}}


async def start(sdk: AsyncClient, **options: Any) -> str:
    interaction = await sdk.interactions.create(
        model=MODEL, input="Hello", background=True, **options
    )
    assert interaction.status == "in_progress"
    return str(interaction.id)


async def advance(http: httpx2.AsyncClient, job: str, state: str, **more: Any) -> int:
    return (await http.post(f"/control/jobs/{job}", json={"state": state, **more})).status_code


def events(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [json.loads(request.content) for request in endpoint.requests]


async def refused(call: Any) -> int | None:
    with pytest.raises(APIStatusError) as caught:
        await call
    return caught.value.status_code


async def test_an_interaction_in_the_background_announces_its_end(
    sdk: AsyncClient, http: httpx2.AsyncClient, gemini: Gemini, endpoint: Endpoint
) -> None:
    identifier = await start(sdk, webhook_config=CONFIG)
    assert await advance(http, identifier, "completed", output_text="Bye") == 200
    await gemini.courier.quiet()
    (event,) = events(endpoint)
    assert (event["type"], event["data"]) == ("interaction.completed", {"id": identifier})
    assert event["user_metadata"] == {"correlation": "c1"}
    shown = await sdk.interactions.get(id=identifier)
    assert (shown.status, shown.output_text) == ("completed", "Bye")
    assert await advance(http, identifier, "failed") == 400


async def test_dynamic_webhooks_replace_the_registered_ones(
    sdk: AsyncClient, http: httpx2.AsyncClient, gemini: Gemini
) -> None:
    gemini.webhooks.create({"uri": f"{URI}/static", "subscribed_events": ["interaction.completed"]})
    dynamic = await start(sdk, webhook_config=CONFIG)
    static = await start(sdk)
    await advance(http, dynamic, "completed")
    await advance(http, static, "completed")
    await gemini.courier.quiet()
    sent = [(delivery.uri, delivery.scheme) for delivery in gemini.account]
    assert sent == [(URI, "v1a"), (f"{URI}/static", "v1")]


async def test_an_interaction_requires_action_goes_on_and_fails(
    sdk: AsyncClient, http: httpx2.AsyncClient, gemini: Gemini, endpoint: Endpoint
) -> None:
    identifier = await start(sdk, webhook_config=CONFIG)
    assert (
        await refused(
            sdk.interactions.create(model=MODEL, input="x", previous_interaction_id=identifier)
        )
        == 400
    )
    await advance(http, identifier, "requires_action")
    answer = await sdk.interactions.create(
        model=MODEL, input="x", previous_interaction_id=identifier
    )
    assert answer.status == "completed"
    await advance(http, identifier, "in_progress")
    await advance(http, identifier, "failed", error={"code": "QUOTA", "message": "Too much."})
    await gemini.courier.quiet()
    assert [event["type"] for event in events(endpoint)] == [
        "interaction.requires_action",
        "interaction.failed",
    ]
    assert events(endpoint)[1]["data"] == {
        "id": identifier,
        "error_code": "QUOTA",
        "error_message": "Too much.",
    }
    errors = (await sdk.interactions.get(id=identifier)).errors or []
    assert [(error.code, error.message) for error in errors] == [("QUOTA", "Too much.")]


async def test_an_interaction_that_requires_continuation_has_a_token(
    sdk: AsyncClient, http: httpx2.AsyncClient
) -> None:
    identifier = await start(sdk)
    await advance(http, identifier, "requires_continuation")
    assert (await sdk.interactions.get(id=identifier)).continuation_token


@pytest.mark.parametrize("status", ["idle", "novel_state"])
async def test_an_interaction_may_be_in_a_state_that_nobody_knows(
    sdk: AsyncClient, http: httpx2.AsyncClient, gemini: Gemini, status: str
) -> None:
    identifier = await start(sdk, webhook_config=CONFIG)
    assert await advance(http, identifier, status) == 200
    assert (await sdk.interactions.get(id=identifier)).status == status
    assert await advance(http, identifier, "completed") == 200
    assert [delivery.event_type for delivery in gemini.account] == ["interaction.completed"]


@pytest.mark.parametrize("status", ["incomplete", "budget_exceeded", "cancelled"])
async def test_some_ends_have_no_event(
    sdk: AsyncClient, http: httpx2.AsyncClient, gemini: Gemini, status: str
) -> None:
    identifier = await start(sdk, webhook_config=CONFIG)
    await advance(http, identifier, status)
    assert (await sdk.interactions.get(id=identifier)).status == status
    assert gemini.account.total == 0


@pytest.mark.parametrize("settings", [{"cancel_lag_seconds": 5.0}], indirect=True)
async def test_a_cancellation_is_learnt_only_by_asking_and_may_lag(
    sdk: AsyncClient, gemini: Gemini, clock: ManualClock
) -> None:
    identifier = await start(sdk, webhook_config=CONFIG)
    assert (await sdk.interactions.cancel(id=identifier)).status == "cancelled"
    assert (await sdk.interactions.get(id=identifier)).status == "in_progress"
    await clock.advance(5)
    assert (await sdk.interactions.get(id=identifier)).status == "cancelled"
    assert gemini.account.total == 0
    assert await refused(sdk.interactions.cancel(id=identifier)) == 400
    batch = await batch_from_file(sdk)
    await sdk.batches.cancel(name=str(batch.name))
    states = [(await sdk.batches.get(name=str(batch.name))).state]
    await clock.advance(5)
    states.append((await sdk.batches.get(name=str(batch.name))).state)
    assert states == [types.JobState.JOB_STATE_RUNNING, types.JobState.JOB_STATE_CANCELLED]


@pytest.mark.parametrize("settings", [{"announce_cancellations": True}], indirect=True)
async def test_cancellations_are_announced_when_the_setting_says_so(
    sdk: AsyncClient, gemini: Gemini, endpoint: Endpoint
) -> None:
    await sdk.interactions.cancel(id=await start(sdk, webhook_config=CONFIG))
    batch = await batch_from_file(sdk)
    await sdk.batches.cancel(name=str(batch.name))
    await sdk.batches.cancel(name=str(batch.name))
    await gemini.courier.quiet()
    assert [event["type"] for event in events(endpoint)] == [
        "interaction.cancelled",
        "batch.cancelled",
    ]


@pytest.mark.parametrize("settings", [{"agents_can_be_cancelled": False}], indirect=True)
async def test_the_cancellation_of_an_agent_may_be_a_method_that_does_not_exist(
    sdk: AsyncClient, http: httpx2.AsyncClient
) -> None:
    agent = await sdk.interactions.create(agent="deep-research-1", input="x", background=True)
    path = "/v1/interactions/{}/cancel"
    answers = [await http.post(path.format(each)) for each in (agent.id, "v1_unknown")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json()[0]["error"]["message"] == "Method not found."
    assert answers[1].json()["error"]["code"] == "not_found"
    assert (await sdk.interactions.cancel(id=await start(sdk))).status == "cancelled"


async def test_a_deleted_interaction_is_gone_and_runs_on(
    sdk: AsyncClient, http: httpx2.AsyncClient, gemini: Gemini
) -> None:
    identifier = await start(sdk, webhook_config=CONFIG)
    await sdk.interactions.delete(id=identifier)
    assert await refused(sdk.interactions.get(id=identifier)) == 404
    assert await refused(sdk.interactions.delete(id=identifier)) == 404
    await advance(http, identifier, "completed")
    assert [delivery.event_type for delivery in gemini.account] == ["interaction.completed"]


@pytest.mark.parametrize(
    "settings", [{"lookup_lag_seconds": 60.0, "interaction_seconds": 3600.0}], indirect=True
)
async def test_an_interaction_is_found_late_and_not_for_ever(
    sdk: AsyncClient, clock: ManualClock
) -> None:
    identifier = await start(sdk)
    assert await refused(sdk.interactions.get(id=identifier)) == 404
    await clock.advance(60)
    assert (await sdk.interactions.get(id=identifier)).id == identifier
    await clock.advance(3540)
    assert await refused(sdk.interactions.get(id=identifier)) == 404


async def test_identifiers_are_as_hard_as_real_ones(sdk: AsyncClient, gemini: Gemini) -> None:
    identifier = await start(sdk, webhook_config=CONFIG)
    assert set("-_.") < set(identifier.removeprefix("v1_"))
    assert identifier.lower() != identifier
    assert await refused(sdk.interactions.get(id=identifier.swapcase())) == 404
    (delivery,) = gemini.emit("batch.failed", uris=[URI])
    assert delivery.message.webhook_id.startswith("msg_")


@pytest.mark.parametrize(
    "body",
    [
        {"input": "x"},
        {"model": MODEL},
        {"model": MODEL, "input": "x", "webhook_config": {"uris": [URI]}},
        {"model": MODEL, "input": "x", "background": True, "store": False},
        {"model": MODEL, "input": "x", "background": True, "webhook_config": 1},
        {"model": MODEL, "input": "x", "background": True, "webhook_config": {"uris": "x"}},
        {
            "model": MODEL,
            "input": "x",
            "background": True,
            "webhook_config": {"uris": ["http://relay.example"]},
        },
        {"model": MODEL, "input": "x", "background": True, "webhook_config": {"user_metadata": 1}},
    ],
)
async def test_an_invalid_interaction_is_refused(http: httpx2.AsyncClient, body: Any) -> None:
    assert (await http.post("/v1/interactions", json=body)).status_code == 400


async def batch_from_file(sdk: AsyncClient) -> types.BatchJob:
    batch: types.BatchJob = await sdk.batches.create(
        model=MODEL,
        src="files/input",
        config={"display_name": "nightly", "webhook_config": CONFIG},
    )
    return batch


async def test_a_batch_of_a_file_succeeds(
    sdk: AsyncClient, http: httpx2.AsyncClient, gemini: Gemini, endpoint: Endpoint
) -> None:
    batch = await batch_from_file(sdk)
    assert (batch.state, batch.display_name) == (types.JobState.JOB_STATE_PENDING, "nightly")
    identifier = str(batch.name).removeprefix("batches/")
    assert await advance(http, identifier, "running") == 200
    assert await advance(http, identifier, "succeeded") == 200
    assert await advance(http, identifier, "failed") == 400
    shown = await sdk.batches.get(name=str(batch.name))
    assert shown.state == types.JobState.JOB_STATE_SUCCEEDED
    assert shown.dest
    assert shown.dest.file_name == f"files/batch-{identifier}"
    await gemini.courier.quiet()
    (event,) = events(endpoint)
    assert event["type"] == "batch.succeeded"
    assert event["data"] == {
        "id": f"batch_{identifier}",
        "output_file_uri": f"files/batch-{identifier}",
    }
    assert event["user_metadata"] == {"correlation": "c1"}


async def test_an_inline_batch_has_its_results_in_the_reply(
    sdk: AsyncClient, http: httpx2.AsyncClient, gemini: Gemini
) -> None:
    gemini.webhooks.create({"uri": URI, "subscribed_events": ["batch.succeeded"]})
    requests: Any = [{"contents": [{"parts": [{"text": "Hi"}]}]}]
    batch = await sdk.batches.create(model=MODEL, src=requests)
    await advance(http, str(batch.name).removeprefix("batches/"), "succeeded")
    shown = await sdk.batches.get(name=str(batch.name))
    assert shown.dest
    assert len(shown.dest.inlined_responses or []) == 1
    (delivery,) = gemini.account
    assert "output_file_uri" not in json.loads(delivery.message.body)["data"]
    chosen = await sdk.batches.create(model=MODEL, src=requests)
    results = [{"error": {"code": 3, "message": "Odd."}, "metadata": {"key": "a"}}]
    identifier = str(chosen.name).removeprefix("batches/")
    await advance(http, identifier, "succeeded", results=results)
    raw = (await http.get(f"/v1/{chosen.name}")).json()
    assert raw["metadata"]["output"]["inlinedResponses"]["inlinedResponses"] == results


@pytest.mark.parametrize("settings", [{"inline_results_shuffled": True}], indirect=True)
async def test_the_results_of_an_inline_batch_may_lose_order_and_metadata(
    sdk: AsyncClient, http: httpx2.AsyncClient
) -> None:
    requests = [{"contents": [{"parts": [{"text": "Hi"}]}]}]
    batch = await sdk.batches.create(model=MODEL, src=requests)
    results = [{"metadata": {"key": "a"}, "response": {"id": key}} for key in "ab"]
    identifier = str(batch.name).removeprefix("batches/")
    await advance(http, identifier, "succeeded", results=results)
    output = (await http.get(f"/v1/{batch.name}")).json()["response"]["inlinedResponses"]
    assert output["inlinedResponses"] == [{"response": {"id": key}} for key in "ba"]


async def test_a_batch_fails_is_listed_and_deleted(
    sdk: AsyncClient, http: httpx2.AsyncClient, gemini: Gemini, endpoint: Endpoint
) -> None:
    batch = await batch_from_file(sdk)
    identifier = str(batch.name).removeprefix("batches/")
    await advance(http, identifier, "failed")
    raw = (await http.get(f"/v1beta/{batch.name}")).json()
    assert raw["error"] == {"code": 13, "message": "The batch failed."}
    assert raw["metadata"]["state"] == "BATCH_STATE_FAILED"
    await gemini.courier.quiet()
    assert events(endpoint)[0]["data"]["error_message"] == "The batch failed."
    assert len((await http.get("/v1/batches")).json()["operations"]) == 1
    await sdk.batches.delete(name=str(batch.name))
    assert (await http.get(f"/v1/{batch.name}")).status_code == 404


async def test_a_batch_expires_on_the_clock(
    sdk: AsyncClient, gemini: Gemini, clock: ManualClock, endpoint: Endpoint
) -> None:
    await batch_from_file(sdk)
    await clock.advance(48 * 3600)
    await gemini.courier.quiet()
    assert [event["type"] for event in events(endpoint)] == ["batch.expired"]


async def test_batches_are_listed_by_pages_newest_first(
    sdk: AsyncClient, http: httpx2.AsyncClient
) -> None:
    names = [str((await batch_from_file(sdk)).name) for _ in range(5)]
    pager = await sdk.batches.list(config={"page_size": 2})
    assert [batch.name async for batch in pager] == names[::-1]
    assert pager.page[0].display_name == "nightly"
    page = (await http.get("/v1beta/batches?pageSize=2")).json()
    await sdk.batches.delete(name=names[3])
    following = await http.get(f"/v1beta/batches?pageToken={page['nextPageToken']}")
    assert [each["name"] for each in following.json()["operations"]] == names[2::-1]
    assert "nextPageToken" not in following.json()
    assert (await http.get("/v1/batches?pageSize=x")).status_code == 400


@pytest.mark.parametrize(
    ("source", "status"),
    [("files/x", 200), ([{"request": {}}], 200), ({"file_name": "files/x"}, 200), (7, 400)],
)
async def test_a_batch_as_the_guide_writes_it(
    http: httpx2.AsyncClient, source: object, status: int
) -> None:
    answer = await http.post(
        f"/v1beta/models/{MODEL}:batchCreate",
        json={"src": source, "config": {"display_name": "n", "webhook_config": CONFIG}},
    )
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("batchGenerateContent", {}),
        ("batchGenerateContent", {"batch": {}}),
        ("batchGenerateContent", {"batch": {"inputConfig": {"requests": {"requests": [1]}}}}),
        ("batchCreate", {"src": "files/x", "config": 1}),
        ("predictLongRunning", {}),
        ("predictLongRunning", {"instances": [{}], "parameters": {"sampleCount": 9}}),
        ("predictLongRunning", {"instances": [{}], "parameters": [1]}),
    ],
)
async def test_an_invalid_job_is_refused(http: httpx2.AsyncClient, path: str, body: object) -> None:
    assert (await http.post(f"/v1/models/{MODEL}:{path}", json=body)).status_code == 400


@pytest.mark.parametrize("state", ["succeeded", "failed"])
async def test_a_video_is_generated_or_not(
    http: httpx2.AsyncClient, gemini: Gemini, endpoint: Endpoint, state: str
) -> None:
    body = {"instances": [{"prompt": "a cat"}], "webhookConfig": {"uris": [URI]}}
    started = (await http.post("/v1beta/models/veo-3:predictLongRunning", json=body)).json()
    identifier = started["name"].rpartition("/")[2]
    assert "done" not in started
    assert (await http.get(f"/v1beta/models/veo-9/operations/{identifier}")).status_code == 404
    assert await advance(http, identifier, "nonsense") == 400
    assert await advance(http, identifier, state) == 200
    assert await advance(http, identifier, state) == 400
    shown = (await http.get(f"/v1beta/{started['name']}")).json()
    assert shown["done"]
    assert ("response" in shown, "error" in shown) == (state == "succeeded", state == "failed")
    await gemini.courier.quiet()
    expected = ["video.generated"] if state == "succeeded" else []
    assert [event["type"] for event in events(endpoint)] == expected


async def video(http: httpx2.AsyncClient, **parameters: Any) -> str:
    body = {
        "instances": [{"prompt": "a cat"}],
        "parameters": parameters,
        "webhookConfig": {"uris": [URI]},
    }
    answer = await http.post("/v1beta/models/veo-3:predictLongRunning", json=body)
    assert answer.status_code == 200
    return str(answer.json()["name"])


async def test_a_video_is_a_file_with_a_name_of_its_own(
    sdk: AsyncClient, http: httpx2.AsyncClient, gemini: Gemini, endpoint: Endpoint
) -> None:
    name = await video(http, sampleCount=2)
    await advance(http, name.rpartition("/")[2], "succeeded", text="film")
    asked = types.GenerateVideosOperation.model_validate({"name": name})
    shown = await sdk.operations.get(asked)
    videos = [each.video for each in shown.response.generated_videos]
    assert [await sdk.files.download(file=each) for each in videos] == [b"film", b"film"]
    await gemini.courier.quiet()
    (event,) = events(endpoint)
    assert event["data"]["video_uri"] == videos[0].uri
    assert event["data"]["file_id"] in videos[0].uri
    assert name.rpartition("/")[2] not in videos[0].uri


@pytest.mark.parametrize("reasons", [[], ["Celebrity."]])
async def test_a_filtered_video_ends_without_video_and_event(
    http: httpx2.AsyncClient, gemini: Gemini, reasons: list[str]
) -> None:
    name = await video(http)
    assert await advance(http, name.rpartition("/")[2], "filtered", reasons=reasons) == 200
    shown = (await http.get(f"/v1/{name}")).json()
    response = shown["response"]["generateVideoResponse"]
    assert (shown["done"], response["raiMediaFilteredCount"]) == (True, 1)
    assert "generatedSamples" not in response
    assert len(response["raiMediaFilteredReasons"][0]) > 1
    assert gemini.account.total == 0


async def test_some_videos_of_several_may_be_filtered(http: httpx2.AsyncClient) -> None:
    name = await video(http, sampleCount=3)
    await advance(http, name.rpartition("/")[2], "succeeded", reasons=["Violence."])
    response = (await http.get(f"/v1beta/{name}")).json()["response"]["generateVideoResponse"]
    assert (len(response["generatedSamples"]), response["raiMediaFilteredCount"]) == (2, 1)


@pytest.mark.parametrize(
    ("webhook", "states"),
    [
        ("lost", ["lost"]),
        ("doubled", ["delivered"] * 2),
        ("late", ["pending"]),
        ("sent", ["delivered"]),
    ],
)
async def test_a_control_decides_what_becomes_of_a_webhook(
    sdk: AsyncClient,
    http: httpx2.AsyncClient,
    gemini: Gemini,
    clock: ManualClock,
    webhook: str,
    states: list[str],
) -> None:
    identifier = await start(sdk, webhook_config=CONFIG)
    await advance(http, identifier, "completed", webhook=webhook)
    await gemini.courier.quiet()
    assert [delivery.state for delivery in gemini.account] == states
    assert len({delivery.message.webhook_id for delivery in gemini.account}) == 1
    await clock.advance(3600)
    await gemini.courier.quiet()
    assert all(delivery.state in {"delivered", "lost"} for delivery in gemini.account)


@pytest.mark.parametrize(
    "settings",
    [{"lost_webhooks": 0.2, "late_webhooks": 0.1, "doubled_webhooks": 0.1, "seed": 7}],
    indirect=True,
)
async def test_shares_of_the_webhooks_are_lost_late_and_doubled(gemini: Gemini) -> None:
    gemini.webhooks.create({"uri": URI, "subscribed_events": ["batch.failed"]})
    for _ in range(400):
        batch = gemini.jobs.batches.create(MODEL, "", {"fileName": "files/x"}, None)
        gemini.jobs.batches.advance(batch, "failed")
    await gemini.courier.quiet()
    sent = Counter(delivery.message.webhook_id for delivery in gemini.account)
    states = Counter(delivery.state for delivery in gemini.account)
    doubled = sum(count == 2 for count in sent.values())
    assert len(sent) == 400
    assert 60 < states["lost"] < 100
    assert 25 < states["pending"] < 55
    assert 25 < doubled < 55


@pytest.mark.parametrize("settings", [{"job_seconds": 60.0, "stuck_jobs": 1.0}], indirect=True)
async def test_some_jobs_never_end(
    sdk: AsyncClient, http: httpx2.AsyncClient, clock: ManualClock
) -> None:
    await start(sdk)
    await batch_from_file(sdk)
    await video(http)
    await clock.advance(100 * 24 * 3600)
    jobs = (await http.get("/control/jobs")).json()["jobs"]
    assert [job["state"] for job in jobs] == ["in_progress", "pending", "running"]


@pytest.mark.parametrize("kind", ["empty-reply", "html-reply"])
async def test_a_call_may_act_and_answer_nonsense(http: httpx2.AsyncClient, kind: str) -> None:
    fault = {"operation": "batches.create", "kind": kind}
    await http.post("/control/faults", json=fault)
    body = {"batch": {"inputConfig": {"fileName": "files/x"}}}
    answer = await http.post(f"/v1/models/{MODEL}:batchGenerateContent", json=body)
    assert (answer.status_code, answer.text[:2]) == (200, "{}" if kind == "empty-reply" else "<!")
    assert len((await http.get("/v1/batches")).json()["operations"]) == 1


@pytest.mark.parametrize("settings", [{"usage_lag_seconds": 5.0}], indirect=True)
async def test_usage_comes_late(
    sdk: AsyncClient, http: httpx2.AsyncClient, clock: ManualClock
) -> None:
    identifier = await start(sdk)
    await advance(http, identifier, "completed")
    assert (await sdk.interactions.get(id=identifier)).usage is None
    await clock.advance(5)
    assert (await sdk.interactions.get(id=identifier)).usage.total_tokens > 0


@pytest.mark.parametrize("settings", [{"job_seconds": 60.0, "time_scale": 6.0}], indirect=True)
async def test_jobs_end_on_the_clock(
    sdk: AsyncClient, http: httpx2.AsyncClient, clock: ManualClock
) -> None:
    await start(sdk)
    await batch_from_file(sdk)
    body = {"instances": [{"prompt": "a cat"}]}
    await http.post("/v1beta/models/veo-3:predictLongRunning", json=body)
    await clock.advance(10)
    jobs = (await http.get("/control/jobs")).json()["jobs"]
    assert [(job["kind"], job["state"]) for job in jobs] == [
        ("interaction", "completed"),
        ("batch", "succeeded"),
        ("video", "succeeded"),
    ]


@pytest.mark.parametrize("settings", [{"max_jobs": 2}], indirect=True)
async def test_the_oldest_jobs_are_forgotten(sdk: AsyncClient) -> None:
    first = await start(sdk)
    for _ in range(2):
        await start(sdk)
    assert await refused(sdk.interactions.get(id=first)) == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("unknown", {"state": "completed"}, 404),
        ("", {"state": "No Status"}, 400),
        ("", {"state": "completed", "webhook": "eaten"}, 400),
        ("", {"state": "requires_action", "steps": [{"type": "function_call"}]}, 400),
        ("", {"state": "completed", "output_text": 1}, 400),
        ("", {"state": "failed", "error": {"code": 1}}, 400),
        ("/frames", {"frames": 1}, 400),
    ],
)
async def test_invalid_controls_are_refused(
    sdk: AsyncClient, http: httpx2.AsyncClient, path: str, body: object, status: int
) -> None:
    identifier = await start(sdk)
    target = path if path == "unknown" else f"{identifier}{path}"
    assert (await http.post(f"/control/jobs/{target}", json=body)).status_code == status
