"""All that the SDK and its transports raise becomes an error of ours, without the API key."""

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest
from google.genai import _interactions, errors
from google.genai.types import HttpRetryOptions

from gemini_relay import AsyncJobs, Job, JobsError, NotFound, Refused, StartUnknown, Unavailable
from gemini_relay.failures import failure_of
from gemini_relay.settings import Settings
from tests.client.conftest import API_KEY, FakeClock

NOT_JSON = httpx2.Response(200, html=f"<html>{API_KEY}</html>")


def google(status: int, message: str, code: str = "", *, as_list: bool = False) -> httpx2.Response:
    body: Any = {"error": {"code": status, "message": message, "status": code}}
    return httpx2.Response(status, json=[body] if as_list else body)


def jobs_over(answer: Callable[[httpx2.Request], httpx2.Response]) -> AsyncJobs:
    settings = Settings(api_key=API_KEY, base_url="http://gemini.test")
    transport = httpx2.MockTransport(answer)
    return AsyncJobs(settings, transport=transport, clock=FakeClock().clock())


def answering(
    reply: httpx2.Response | Exception,
) -> Callable[[httpx2.Request], httpx2.Response]:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        if isinstance(reply, Exception):
            raise reply
        return httpx2.Response(reply.status_code, headers=reply.headers, content=reply.content)

    return answer


def answers(jobs: AsyncJobs) -> Iterator[tuple[str, Callable[[], Awaitable[Any]]]]:
    """Yield every call that asks Gemini, in both trees of the SDK and over REST."""
    kinds = {
        "interaction": Job(id="v1_x", kind="interaction", state="running", name="v1_x"),
        "batch": Job(id="batches/x", kind="batch", state="running", name="batches/x"),
        "video": Job(
            id="models/veo/operations/x",
            kind="video",
            state="running",
            name="models/veo/operations/x",
        ),
    }
    for kind, job in kinds.items():
        yield f"refresh {kind}", lambda job=job: jobs.refresh(job)  # type: ignore[misc]
        yield f"result {kind}", lambda job=job: jobs.result(job)  # type: ignore[misc]
        if kind != "video":
            yield f"cancel {kind}", lambda job=job: jobs.cancel(job)  # type: ignore[misc]
    yield "pending", lambda: jobs.pending(kinds["interaction"])
    yield "get", lambda: jobs.get("batches/x")


REPLIES: list[tuple[httpx2.Response | Exception, type[JobsError]]] = [
    (google(400, f"API key not valid: {API_KEY}", "INVALID_ARGUMENT"), Refused),
    (google(401, f"{API_KEY}", "UNAUTHENTICATED"), Refused),
    (google(404, f"gone {API_KEY}", "NOT_FOUND"), NotFound),
    (google(404, "Method not found.", "NOT_FOUND", as_list=True), Refused),
    (google(408, f"{API_KEY}"), Unavailable),
    (google(429, f"{API_KEY}", "RESOURCE_EXHAUSTED"), Unavailable),
    (google(503, f"{API_KEY}"), Unavailable),
    (httpx2.Response(500, text=API_KEY), Unavailable),
    (httpx2.Response(403, text=API_KEY), Refused),
    (NOT_JSON, Unavailable),
    (httpx2.Response(200, text="[1, 2]"), Unavailable),
    (httpx2.ConnectError(f"no route for {API_KEY}"), Unavailable),
    (httpx2.ReadTimeout(API_KEY), Unavailable),
    (httpx2.RemoteProtocolError(API_KEY), Unavailable),
    (TimeoutError(API_KEY), Unavailable),
    (OSError(API_KEY), Unavailable),
]


@pytest.mark.parametrize("number", range(len(REPLIES)))
async def test_every_failure_of_every_call_is_ours_and_holds_no_key(number: int) -> None:
    reply, expected = REPLIES[number]

    async with jobs_over(answering(reply)) as jobs:
        for what, call in answers(jobs):
            with pytest.raises(JobsError) as raised:
                await call()
            assert isinstance(raised.value, expected), f"{what}: {raised.value!r}"
            shown = "".join(traceback.format_exception(raised.value))
            shown += repr(raised.value) + repr(raised.value.args) + repr(vars(raised.value))
            assert API_KEY not in shown, what
            assert raised.value.__context__ is None, what


@pytest.mark.parametrize("number", range(len(REPLIES)))
async def test_a_start_that_fails_holds_no_key_either(number: int) -> None:
    reply, expected = REPLIES[number]
    if expected is Unavailable and not (
        isinstance(reply, httpx2.Response) and reply.status_code == 429
    ):
        expected = StartUnknown
    if expected is NotFound:
        expected = Refused

    async with jobs_over(answering(reply)) as jobs:
        for start in (
            jobs.interaction(model="m", input="x"),
            jobs.batch(model="m", src="files/x"),
            jobs.video(model="m", prompt="x"),
        ):
            with pytest.raises(expected) as raised:
                await start
            assert API_KEY not in "".join(traceback.format_exception(raised.value))


def _wrong_value() -> Exception:
    try:
        HttpRetryOptions.model_validate({"attempts": "not one"})
    except ValueError as error:
        return error
    raise AssertionError


class ClientPayloadError(Exception):
    """An error of aiohttp's, which is not installed here."""


@pytest.mark.parametrize(
    "error",
    [
        errors.APIError(200, {"message": "html"}, None),
        errors.UnknownApiResponseError("no JSON"),
        json.JSONDecodeError("no JSON", "x", 0),
        _wrong_value(),
        ClientPayloadError("aiohttp"),
        TimeoutError(),
        asyncio.InvalidStateError(),
        _interactions.APIConnectionError(request=httpx2.Request("GET", "http://x")),
    ],
)
def test_what_comes_after_the_request_had_left_is_an_unknown_outcome(error: Exception) -> None:
    failure = failure_of(error, API_KEY)
    assert (failure.status, failure.unknown) == (None, True)
    assert isinstance(failure.error("start"), Unavailable)


def test_a_mistake_found_before_the_request_left_is_refused_without_the_values() -> None:
    failure = failure_of(_wrong_value(), API_KEY, sent=False)
    assert (failure.status, failure.code, failure.unknown) == (400, "INVALID_REQUEST", False)
    assert "attempts" in failure.message
    assert "not one" not in failure.message


def test_settings_show_no_key() -> None:
    assert API_KEY not in repr(Settings(api_key=API_KEY))
