import json
from datetime import UTC, datetime

import httpx2
import pytest

from hooks.errors import HooksError
from hooks.google_apis import GoogleApis
from hooks.why.refusals import MESSAGE, refusals
from relay.receiver.refusals import Refusals

ENTRIES = "https://logging.googleapis.com/v2/entries:list"
SINCE = datetime(2026, 11, 26, tzinfo=UTC)


def entry(**payload: object) -> dict[str, object]:
    return {"jsonPayload": {"message": MESSAGE, **payload}}


async def counted(*pages: tuple[int, object]) -> tuple[dict[str, int], list[httpx2.Request]]:
    requests: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        status, document = pages[len(requests) - 1]
        if isinstance(document, Exception):
            raise document
        return httpx2.Response(status, json=document)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        return dict(await refusals(GoogleApis(client, token), "p", SINCE)), requests


async def token() -> str:
    return "token"


async def test_counts_add_up_over_pages() -> None:
    first = {
        "entries": [entry(reason="signature", count=5), entry(reason="timestamp", count=1)],
        "nextPageToken": "more",
    }
    second = {"entries": [entry(reason="signature", count=2)]}
    found, requests = await counted((200, first), (200, second))
    assert found == {"signature": 7, "timestamp": 1}
    assert [str(each.url) for each in requests] == [ENTRIES, ENTRIES]
    assert {each.headers["authorization"] for each in requests} == {"Bearer token"}
    asked = [json.loads(each.content) for each in requests]
    assert asked[0]["resourceNames"] == ["projects/p"]
    assert '"delivery refused"' in asked[0]["filter"]
    assert 'timestamp>="2026-11-26T00:00:00+00:00"' in asked[0]["filter"]
    assert asked[1]["pageToken"] == "more"


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ((403, {"error": {"message": "no logging.logEntries.list"}}), "403: no logging"),
        ((500, []), "answered 500"),
        ((200, []), "no usable answer"),
        ((200, httpx2.ConnectError("no")), "ConnectError"),
    ],
)
async def test_a_log_that_cannot_be_read_says_why(page: tuple[int, object], reason: str) -> None:
    with pytest.raises(HooksError, match=reason):
        await counted(page)


async def test_the_receiver_logs_what_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    Refusals().add("WARNING", "signature")
    line = json.loads(capsys.readouterr().out)
    assert (line["message"], line["reason"], line["count"]) == (MESSAGE, "signature", 1)
