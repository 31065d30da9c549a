import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import webhooks as sdk_types
from google.genai._interactions import APIStatusError

from localcloud.core.clock import ManualClock
from localcloud.gemini import Gemini

API_KEY = "test-api-key"
URI = "https://relay.example/webhook"

AsyncClient = genai.client.AsyncClient


async def create(sdk: AsyncClient, uri: str = URI, name: str | None = None) -> sdk_types.Webhook:
    return await sdk.webhooks.create(uri=uri, subscribed_events=["batch.succeeded"], name=name)


async def status_of(call: Any) -> tuple[int | None, str]:
    with pytest.raises(APIStatusError) as caught:
        await call
    return caught.value.status_code, str(caught.value)


async def test_create_shows_the_signing_secret_this_once(sdk: AsyncClient) -> None:
    webhook = await create(sdk, name="relay")
    secret = webhook.new_signing_secret
    assert webhook.id
    assert secret
    assert secret.startswith("whsec_")
    assert (webhook.name, webhook.uri, webhook.state) == ("relay", URI, "enabled")
    assert webhook.create_time == datetime.fromtimestamp(1_800_000_000, UTC)

    shown = await sdk.webhooks.get(id=webhook.id)
    assert shown.new_signing_secret is None
    assert shown.signing_secrets
    assert shown.signing_secrets[0].truncated_secret == f"whsec_...{secret[-4:]}"
    assert secret not in shown.model_dump_json()


async def test_list_pages(sdk: AsyncClient) -> None:
    created = [await create(sdk, f"{URI}/{number}") for number in range(55)]
    first = await sdk.webhooks.list()
    assert first.webhooks
    assert len(first.webhooks) == 50
    rest = await sdk.webhooks.list(page_size=1000, page_token=first.next_page_token)
    assert rest.webhooks
    assert rest.next_page_token is None
    listed = [webhook.id for webhook in first.webhooks + rest.webhooks]
    assert listed == [webhook.id for webhook in created]


async def test_a_deletion_between_pages_skips_nobody(sdk: AsyncClient) -> None:
    created = [await create(sdk, f"{URI}/{number}") for number in range(4)]
    page = await sdk.webhooks.list(page_size=2)
    for webhook in created[:3]:
        await sdk.webhooks.delete(id=str(webhook.id))
    rest = await sdk.webhooks.list(page_token=page.next_page_token)
    assert [webhook.id for webhook in rest.webhooks or []] == [created[3].id]


async def test_an_empty_list_has_no_pages(sdk: AsyncClient) -> None:
    page = await sdk.webhooks.list()
    assert (page.webhooks, page.next_page_token) == ([], None)


@pytest.mark.parametrize("query", ["page_token=%25%25", "page_token=bm8=", "page_size=x"])
async def test_list_refuses_a_foreign_page_token(http: httpx2.AsyncClient, query: str) -> None:
    assert (await http.get(f"/v1/webhooks?{query}")).status_code == 400


async def test_a_negative_page_size_is_refused(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/v1/webhooks?page_size=-1")).status_code == 400


async def test_update_without_a_mask_changes_what_is_present(sdk: AsyncClient) -> None:
    webhook = await create(sdk, name="before")
    await sdk.webhooks.update(id=str(webhook.id), uri=f"{URI}/new")
    shown = await sdk.webhooks.get(id=str(webhook.id))
    assert (shown.name, shown.uri) == ("before", f"{URI}/new")
    assert shown.subscribed_events == ["batch.succeeded"]


async def test_update_with_a_mask_changes_what_it_names(sdk: AsyncClient) -> None:
    webhook = await create(sdk, name="before")
    shown = await sdk.webhooks.update(
        id=str(webhook.id),
        update_mask="subscribed_events,state",
        name="ignored",
        state="disabled",
        subscribed_events=["batch.failed", "batch.failed"],
    )
    assert (shown.name, shown.state) == ("before", "disabled")
    assert shown.subscribed_events == ["batch.failed"]


async def test_a_masked_field_that_is_absent_is_cleared(http: httpx2.AsyncClient) -> None:
    body = {"uri": URI, "subscribedEvents": ["batch.failed"], "name": "x"}
    created = (await http.post("/v1beta/webhooks", json=body)).json()
    patched = await http.patch(f"/v1beta/webhooks/{created['id']}?updateMask=name", json={})
    assert patched.status_code == 200
    assert "name" not in patched.json()
    refused = await http.patch(f"/v1/webhooks/{created['id']}?update_mask=uri", json={})
    assert refused.status_code == 400


async def test_a_refused_update_changes_nothing(sdk: AsyncClient) -> None:
    webhook = await create(sdk, name="before")
    events: Any = ["nonsense"]
    code, message = await status_of(
        sdk.webhooks.update(id=str(webhook.id), name="after", subscribed_events=events)
    )
    assert (code, "nonsense" in message) == (400, True)
    assert (await sdk.webhooks.get(id=str(webhook.id))).name == "before"


async def test_an_unknown_path_in_the_mask_is_refused(sdk: AsyncClient) -> None:
    webhook = await create(sdk)
    call = sdk.webhooks.update(id=str(webhook.id), update_mask="signingSecrets", name="x")
    assert (await status_of(call))[0] == 400


async def test_only_gemini_disables_for_failed_deliveries(sdk: AsyncClient) -> None:
    webhook = await create(sdk)
    call = sdk.webhooks.update(id=str(webhook.id), state="disabled_due_to_failed_deliveries")
    assert (await status_of(call))[0] == 400


async def test_a_deleted_webhook_is_not_found(sdk: AsyncClient) -> None:
    webhook = await create(sdk)
    await sdk.webhooks.delete(id=str(webhook.id))
    assert (await status_of(sdk.webhooks.get(id=str(webhook.id))))[0] == 404
    assert (await status_of(sdk.webhooks.delete(id=str(webhook.id))))[0] == 404


@pytest.mark.parametrize(
    "uri", ["http://relay.example/", "ftp://127.0.0.1/", "", "https://", "https://[", "https://a b"]
)
async def test_create_refuses_what_is_no_https_address(sdk: AsyncClient, uri: str) -> None:
    assert (await status_of(create(sdk, uri)))[0] == 400


@pytest.mark.parametrize("uri", ["http://127.0.0.1:8080/", "http://localhost/x", "http://[::1]:1/"])
async def test_create_takes_http_on_loopback(sdk: AsyncClient, uri: str) -> None:
    assert (await create(sdk, uri)).uri == uri


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"uri": URI},
        {"uri": URI, "subscribed_events": []},
        {"uri": URI, "subscribed_events": "batch.failed"},
        {"uri": URI, "subscribed_events": ["batch.cancelled"]},
        {"uri": URI, "subscribed_events": ["batch.failed"], "name": 7},
        [],
    ],
)
async def test_create_refuses_an_invalid_body(http: httpx2.AsyncClient, body: object) -> None:
    answer = await http.post("/v1/webhooks", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


async def test_rotation_overlaps_for_a_day(
    sdk: AsyncClient, gemini: Gemini, clock: ManualClock
) -> None:
    webhook = await create(sdk)
    rotated = await sdk.webhooks.rotate_signing_secret(id=str(webhook.id))
    active = gemini.webhooks.find(str(webhook.id)).active_secrets
    assert active(clock.time()) == [rotated.secret, webhook.new_signing_secret]
    shown = (await sdk.webhooks.get(id=str(webhook.id))).signing_secrets or []
    assert [secret.expire_time for secret in shown] == [
        None,
        datetime.fromtimestamp(clock.time(), UTC) + timedelta(days=1),
    ]
    await clock.advance(24 * 3600)
    assert active(clock.time()) == [rotated.secret]


async def test_a_second_rotation_does_not_prolong_the_overlap(
    sdk: AsyncClient, gemini: Gemini, clock: ManualClock
) -> None:
    webhook = await create(sdk)
    await sdk.webhooks.rotate_signing_secret(id=str(webhook.id))
    await clock.advance(3600)
    await sdk.webhooks.rotate_signing_secret(id=str(webhook.id))
    await clock.advance(23 * 3600)
    assert len(gemini.webhooks.find(str(webhook.id)).active_secrets(clock.time())) == 2


async def test_rotation_can_revoke_at_once(sdk: AsyncClient, gemini: Gemini) -> None:
    webhook = await create(sdk)
    rotated = await sdk.webhooks.rotate_signing_secret(
        id=str(webhook.id), revocation_behavior="revoke_previous_secrets_immediately"
    )
    now = gemini.clock.time()
    assert gemini.webhooks.find(str(webhook.id)).active_secrets(now) == [rotated.secret]


async def test_rotation_as_the_guide_writes_it(http: httpx2.AsyncClient, gemini: Gemini) -> None:
    body = {"uri": URI, "subscribed_events": ["batch.failed"]}
    created = (await http.post("/v1beta/webhooks", json=body)).json()
    rotated = await http.post(
        f"/v1beta/webhooks/{created['id']}/rotate_secret",
        headers={"api-revision": "2026-01-01"},
        json={"revocation_behavior": "REVOKE_PREVIOUS_SECRETS_AFTER_H24"},
    )
    active = gemini.webhooks.find(created["id"]).active_secrets(gemini.clock.time())
    assert active == [rotated.json()["secret"], created["new_signing_secret"]]


async def test_an_unknown_behavior_is_refused(http: httpx2.AsyncClient) -> None:
    body = {"uri": URI, "subscribed_events": ["batch.failed"]}
    created = (await http.post("/v1/webhooks", json=body)).json()
    answer = await http.post(
        f"/v1/webhooks/{created['id']}:rotateSigningSecret", json={"revocation_behavior": "later"}
    )
    assert answer.status_code == 400


async def test_ping_delivers_a_test_event(sdk: AsyncClient, gemini: Gemini) -> None:
    webhook = await create(sdk)
    await sdk.webhooks.ping(id=str(webhook.id))
    await gemini.courier.quiet()
    (delivery,) = gemini.account
    assert (delivery.event_type, delivery.state) == ("webhook.ping", "delivered")


async def test_a_disabled_webhook_cannot_be_pinged(sdk: AsyncClient) -> None:
    webhook = await create(sdk)
    await sdk.webhooks.update(id=str(webhook.id), state="disabled")
    assert (await status_of(sdk.webhooks.ping(id=str(webhook.id))))[0] == 400


async def test_the_synchronous_client_works_too(base_url: str) -> None:
    def call() -> int:
        options = genai.types.HttpOptions(base_url=base_url)
        with genai.Client(api_key=API_KEY, http_options=options) as client:
            client.webhooks.create(uri=URI, subscribed_events=["batch.failed"])
            return len(client.webhooks.list().webhooks or [])

    assert await asyncio.to_thread(call) == 1


@pytest.mark.parametrize(("headers", "status"), [({}, 403), ({"x-goog-api-key": "wrong"}, 400)])
async def test_the_api_key_is_checked(base_url: str, headers: dict[str, str], status: int) -> None:
    async with httpx2.AsyncClient(base_url=base_url, headers=headers) as stranger:
        answer = await stranger.get("/v1/webhooks")
    assert answer.status_code == status
    assert "wrong" not in answer.text
    assert ("API_KEY_INVALID" in answer.text) == (status == 400)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v2/webhooks"), ("PUT", "/v1/webhooks")])
async def test_unknown_calls_are_refused_in_googles_form(
    http: httpx2.AsyncClient, method: str, path: str
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code in {404, 405}
    assert answer.json()["error"]["code"] == answer.status_code


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"\xff"])
async def test_a_body_that_is_no_json_is_refused(http: httpx2.AsyncClient, content: bytes) -> None:
    assert (await http.post("/v1/webhooks", content=content)).status_code == 400


@pytest.mark.parametrize("settings", [{"max_body_bytes": 10, "max_webhooks": 0}], indirect=True)
async def test_sizes_and_numbers_are_bounded(http: httpx2.AsyncClient) -> None:
    assert (await http.post("/v1/webhooks", content=b" " * 11)).status_code == 413
    assert (await http.post("/v1/webhooks", content=b"{}")).status_code == 429


@pytest.mark.parametrize("settings", [{"omit_times": True}], indirect=True)
async def test_times_may_be_left_out(sdk: AsyncClient) -> None:
    webhook = await create(sdk)
    await sdk.webhooks.rotate_signing_secret(id=str(webhook.id))
    shown = await sdk.webhooks.get(id=str(webhook.id))
    assert shown.create_time is None
    assert {secret.expire_time for secret in shown.signing_secrets or []} == {None}


async def test_webhooks_and_their_secrets_survive_in_a_json_document(
    sdk: AsyncClient, gemini: Gemini, clock: ManualClock
) -> None:
    webhook = await create(sdk)
    await sdk.webhooks.rotate_signing_secret(id=str(webhook.id))
    successor = Gemini(clock)
    assert successor.mark() != gemini.mark()
    successor.restore(json.loads(json.dumps(gemini.dump())))

    assert list(successor.webhooks) == list(gemini.webhooks)
    await successor.close()
