from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from relay.errors import GeminiRefused
from relay.gemini.webhooks import GeminiWebhooks
from tests.support.serving import serving

API_KEY = "AIza-test-key-that-nobody-may-see"
SECRET = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"


class Scripted:
    """Answers every request with the next response in store, then with the last again."""

    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.requests: list[httpx2.URL] = []

    async def answer(self, request: Request) -> Response:
        self.requests.append(httpx2.URL(str(request.url)))
        assert request.headers["x-goog-api-key"] == API_KEY
        return self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]


@pytest.fixture
def script() -> Scripted:
    return Scripted()


@pytest.fixture
async def webhooks(script: Scripted) -> AsyncIterator[GeminiWebhooks]:
    methods = ["GET", "POST", "PATCH", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", script.answer, methods=methods)])
    async with serving(app) as url:
        service = GeminiWebhooks(api_key=API_KEY, base_url=url)
        yield service
        await service.close()


async def test_all_pages_are_read(webhooks: GeminiWebhooks, script: Scripted) -> None:
    script.responses = [
        JSONResponse({"webhooks": [{"id": "a", "uri": "u"}], "next_page_token": "t"}),
        JSONResponse({"next_page_token": "t2"}),
        JSONResponse({"webhooks": [{"id": "b", "state": "enabled"}]}),
    ]
    found = await webhooks.all()
    assert [(each.id, each.uri, each.state) for each in found] == [
        ("a", "u", ""),
        ("b", "", "enabled"),
    ]
    assert [url.params.get("page_token") for url in script.requests] == [None, "t", "t2"]


async def test_a_list_without_end_is_an_error(
    webhooks: GeminiWebhooks, script: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.gemini.webhooks._MOST_PAGES", 3)
    script.responses = [JSONResponse({"webhooks": [], "next_page_token": "again"})]
    with pytest.raises(GeminiRefused, match="does not end"):
        await webhooks.all()


async def test_a_call_is_never_repeated(webhooks: GeminiWebhooks, script: Scripted) -> None:
    script.responses = [JSONResponse({}, status_code=503)]
    with pytest.raises(GeminiRefused, match="503"):
        await webhooks.create("name", "https://relay.example", ["batch.failed"])
    assert len(script.requests) == 1


@pytest.mark.parametrize("reply", [{}, {"newSigningSecret": SECRET}, {"new_signing_secret": 7}])
async def test_a_secret_that_is_not_shown_is_an_error(
    webhooks: GeminiWebhooks, script: Scripted, reply: dict[str, Any]
) -> None:
    script.responses = [JSONResponse({"id": "w", **reply})]
    with pytest.raises(GeminiRefused):
        await webhooks.create("name", "https://relay.example", ["batch.failed"])
    with pytest.raises(GeminiRefused):
        await webhooks.rotate("w", "revoke_previous_secrets_immediately")


@pytest.mark.parametrize(
    "response",
    [
        JSONResponse({"error": {"message": f"key {API_KEY}, secret {SECRET}"}}, status_code=400),
        JSONResponse([API_KEY, SECRET], status_code=400),
        JSONResponse({"error": SECRET}, status_code=500),
        Response(f"{API_KEY} {SECRET}", status_code=502),
        Response(SECRET, media_type="application/json"),
        JSONResponse(SECRET),
        Response(SECRET, media_type="text/html"),
    ],
)
async def test_an_odd_answer_is_an_error_without_secrets(
    webhooks: GeminiWebhooks, script: Scripted, response: Response
) -> None:
    script.responses = [response]
    for call in (
        webhooks.all(),
        webhooks.get("w"),
        webhooks.find("w"),
        webhooks.create("name", "https://relay.example", ["batch.failed"]),
        webhooks.update("w", name="name"),
        webhooks.ping("w"),
        webhooks.delete("w"),
        webhooks.rotate("w", "revoke_previous_secrets_immediately"),
    ):
        with pytest.raises(GeminiRefused) as caught:
            await call
        assert API_KEY not in str(caught.value)
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


async def test_a_missing_webhook(webhooks: GeminiWebhooks, script: Scripted) -> None:
    script.responses = [JSONResponse({"error": {"message": "no"}}, status_code=404)]
    assert await webhooks.find("w") is None
    assert not await webhooks.delete("w")
    for call in (webhooks.get("w"), webhooks.ping("w")):
        with pytest.raises(GeminiRefused, match="404") as caught:
            await call
        assert caught.value.status == 404


async def test_a_refused_deletion_is_an_error(webhooks: GeminiWebhooks, script: Scripted) -> None:
    script.responses = [JSONResponse({"error": {"message": "no"}}, status_code=403)]
    with pytest.raises(GeminiRefused, match="403") as caught:
        await webhooks.delete("w")
    assert caught.value.status == 403


@pytest.mark.parametrize("response", [JSONResponse({}), Response(status_code=204)])
async def test_an_empty_answer_is_enough_where_nothing_is_read(
    webhooks: GeminiWebhooks, script: Scripted, response: Response
) -> None:
    script.responses = [response]
    await webhooks.ping("w")
    assert await webhooks.delete("w")


async def test_one_page_is_read_as_asked(webhooks: GeminiWebhooks, script: Scripted) -> None:
    script.responses = [
        JSONResponse({"webhooks": [{"id": "a"}], "next_page_token": "t"}),
        JSONResponse({}),
    ]
    page, token = await webhooks.page(1)
    assert ([each.id for each in page], token) == (["a"], "t")
    assert await webhooks.page(1, token) == ([], "")
    asked = [(url.params.get("page_size"), url.params.get("page_token")) for url in script.requests]
    assert asked == [("1", None), ("1", "t")]


async def test_the_description_holds_times_and_truncated_secrets(
    webhooks: GeminiWebhooks, script: Scripted
) -> None:
    shown = {
        "id": "w",
        "uri": "https://relay.example",
        "state": "enabled",
        "subscribed_events": ["batch.failed"],
        "create_time": "2026-01-22T12:00:00Z",
        "signing_secrets": [{"truncated_secret": "whsec_...cmV0"}],
    }
    secrets = {"new_signing_secret": SECRET, "newSigningSecret": SECRET, "name": None}
    script.responses = [JSONResponse({**shown, **secrets})]
    created, secret = await webhooks.create("name", "https://relay.example", ["batch.failed"])
    assert secret == SECRET
    assert created.description == shown
    assert SECRET not in repr(created)


async def test_an_endpoint_that_is_down_is_an_error() -> None:
    service = GeminiWebhooks(api_key=API_KEY, base_url="http://127.0.0.1:1")
    with pytest.raises(GeminiRefused, match="ConnectError"):
        await service.all()
    await service.close()
