import asyncio
import base64
import json
from itertools import pairwise
from typing import Any

import pytest
from google.pubsub_v1 import types

from localcloud.core.clock import ManualClock
from localcloud.pubsub import PubSub, PushFailedError
from localcloud.pubsub.push import MAX_PARALLEL
from tests.support.pubsub import DEAD_TOPIC, SUBSCRIPTION, TOPIC, Calls, Endpoint

URL = "http://localhost:8080/dispatch"
EMAIL = "push@p.iam.gserviceaccount.com"


async def _subscribe(pubsub: Calls, config: dict[str, Any] | None = None, **fields: Any) -> None:
    await pubsub.subscribe(push_config={"push_endpoint": URL} | (config or {}), **fields)


async def test_the_wrapped_envelope(pubsub: Calls, endpoint: Endpoint) -> None:
    await _subscribe(pubsub)
    message_id = await pubsub.publish("é\0".encode(), **{"ce-type": "batch.succeeded"})
    await pubsub.clock.advance(0)
    [request] = endpoint.requests
    assert request.url == URL
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert json.loads(request.body) == {
        "message": {
            "attributes": {"ce-type": "batch.succeeded"},
            "data": base64.b64encode("é\0".encode()).decode(),
            "messageId": message_id,
            "message_id": message_id,
            "publishTime": "2027-01-15T08:00:00.000Z",
            "publish_time": "2027-01-15T08:00:00.000Z",
        },
        "subscription": SUBSCRIPTION,
    }
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0


async def test_absent_fields_are_left_out_of_the_envelope(
    pubsub: Calls, endpoint: Endpoint
) -> None:
    await _subscribe(pubsub)
    await pubsub.publish(b"", k="v")
    message = {"data": b"x", "ordering_key": "key"}
    await pubsub.call("Publish", types.PublishRequest(topic=TOPIC, messages=[message]))
    await pubsub.clock.advance(0)
    first, second = (json.loads(request.body)["message"] for request in endpoint.requests)
    assert "data" not in first
    assert "attributes" not in second
    assert second["orderingKey"] == "key"


async def test_attempts_are_told_with_a_dead_letter_policy(
    pubsub: Calls, endpoint: Endpoint
) -> None:
    await pubsub.topic(DEAD_TOPIC)
    policy = {"dead_letter_topic": DEAD_TOPIC, "max_delivery_attempts": 5}
    await _subscribe(pubsub, dead_letter_policy=policy)
    endpoint.answer = dict.fromkeys(range(5), 503)
    await pubsub.publish(b"hopeless")
    await pubsub.clock.advance(60)
    attempts = [json.loads(request.body)["deliveryAttempt"] for request in endpoint.requests]
    assert attempts == [1, 2, 3, 4, 5]
    [dead] = pubsub.pubsub.published(DEAD_TOPIC)
    assert dead.data == b"hopeless"
    assert dead.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0


async def test_processing_acknowledges(pubsub: Calls, endpoint: Endpoint) -> None:
    endpoint.answer = {0: 102}
    await _subscribe(pubsub)
    await pubsub.publish()
    await pubsub.clock.advance(3600)
    assert len(endpoint.requests) == 1
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0


@pytest.mark.parametrize("status", [203, 301, 401, 403, 404])
async def test_any_other_status_is_tried_again(
    pubsub: Calls, endpoint: Endpoint, status: int
) -> None:
    endpoint.answer = {0: status}
    await _subscribe(pubsub)
    await pubsub.publish()
    await pubsub.clock.advance(1)
    assert len(endpoint.requests) == 2
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0


async def test_an_endpoint_that_cannot_be_reached_is_tried_again(
    pubsub: Calls, endpoint: Endpoint
) -> None:
    async def unreachable(number: int) -> int:
        if number < 3:
            raise PushFailedError("connection refused")
        return 204

    endpoint.answer = unreachable
    await _subscribe(pubsub)
    await pubsub.publish()
    await pubsub.clock.advance(60)
    assert len(endpoint.requests) == 4
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0


async def _times(pubsub: Calls, endpoint: Endpoint, seconds: float) -> list[float]:
    """Let every push fail, and return when each came, in seconds from the first."""
    start = pubsub.clock.time()
    times: list[float] = []

    async def fail(_number: int) -> int:
        times.append(round(pubsub.clock.time() - start, 3))
        return 500

    endpoint.answer = fail
    await pubsub.publish()
    await pubsub.clock.advance(seconds)
    return times


async def test_the_default_backoff_of_pushes(pubsub: Calls, endpoint: Endpoint) -> None:
    await _subscribe(pubsub)
    times = await _times(pubsub, endpoint, 230)
    waits = [round(later - sooner, 1) for sooner, later in pairwise(times)]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0, 60.0]


async def test_the_retry_policy_of_pushes(pubsub: Calls, endpoint: Endpoint) -> None:
    policy = {"minimum_backoff": {"seconds": 10}, "maximum_backoff": {"seconds": 30}}
    await _subscribe(pubsub, retry_policy=policy)
    assert await _times(pubsub, endpoint, 100) == [0, 10, 30, 60, 90]


async def test_a_push_ends_with_the_acknowledgement_deadline(
    pubsub: Calls, endpoint: Endpoint
) -> None:
    ended: list[float] = []

    async def hang(number: int) -> int:
        if number:
            return 204
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(pubsub.clock.time())
        return 204

    endpoint.answer = hang
    await _subscribe(pubsub, ack_deadline_seconds=90)
    start = pubsub.clock.time()
    await pubsub.publish()
    await pubsub.clock.advance(95)
    assert ended == [start + 90]
    assert len(endpoint.requests) == 2
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0


async def test_pushes_run_in_parallel_within_bounds(pubsub: Calls, endpoint: Endpoint) -> None:
    going = asyncio.Event()

    async def wait(_number: int) -> int:
        await going.wait()
        return 204

    endpoint.answer = wait
    await _subscribe(pubsub)
    for _ in range(MAX_PARALLEL + 5):
        await pubsub.publish()
    await pubsub.clock.advance(1)
    assert len(endpoint.requests) == MAX_PARALLEL
    going.set()
    await pubsub.clock.advance(1)
    assert len(endpoint.requests) == MAX_PARALLEL + 5
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0


async def test_closing_cuts_off_pushes_under_way(clock: ManualClock, endpoint: Endpoint) -> None:
    async def hang(_number: int) -> int:
        await asyncio.Event().wait()
        return 204

    endpoint.answer = hang
    pubsub = Calls(clock, PubSub(clock, sender=endpoint))
    await pubsub.topic()
    await _subscribe(pubsub)
    await pubsub.publish()
    await clock.advance(1)
    await pubsub.pubsub.close()
    assert len(endpoint.requests) == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


def _claims(request: Any) -> dict[str, Any]:
    scheme, _, token = request.headers["authorization"].partition(" ")
    assert scheme == "Bearer"
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return claims


async def test_a_token_in_google_s_shape(pubsub: Calls, endpoint: Endpoint) -> None:
    await _subscribe(pubsub, {"oidc_token": {"service_account_email": EMAIL}})
    await pubsub.publish()
    await pubsub.clock.advance(0)
    [request] = endpoint.requests
    now = int(pubsub.clock.time())
    assert _claims(request) == {
        "aud": URL,
        "azp": EMAIL,
        "email": EMAIL,
        "email_verified": True,
        "exp": now + 3600,
        "iat": now,
        "iss": "https://accounts.google.com",
        "sub": EMAIL,
    }
    assert request.headers["authorization"].endswith(".SIGNATURE_REMOVED_BY_GOOGLE")


async def test_an_audience_may_be_named(pubsub: Calls, endpoint: Endpoint) -> None:
    await _subscribe(pubsub, {"oidc_token": {"service_account_email": EMAIL, "audience": "me"}})
    await pubsub.publish()
    await pubsub.clock.advance(0)
    assert _claims(endpoint.requests[0])["aud"] == "me"


async def test_tokens_come_from_the_source_that_is_passed_in(
    clock: ManualClock, endpoint: Endpoint
) -> None:
    allowed = False

    def identity_token(email: str, audience: str) -> str:
        if not allowed:
            raise PushFailedError("the service agent may not mint tokens of this account")
        return f"{email} for {audience}"

    pubsub = Calls(clock, PubSub(clock, sender=endpoint, identity_token=identity_token))
    await pubsub.topic()
    await _subscribe(pubsub, {"oidc_token": {"service_account_email": EMAIL}})
    await pubsub.publish()
    await clock.advance(1)
    assert endpoint.requests == []
    allowed = True
    await clock.advance(60)
    assert endpoint.requests[0].headers["authorization"] == f"Bearer {EMAIL} for {URL}"
    await pubsub.pubsub.close()


async def test_without_a_wrapper_the_body_is_the_data(pubsub: Calls, endpoint: Endpoint) -> None:
    await _subscribe(pubsub, {"no_wrapper": {}})
    await pubsub.publish(b'{"type":"x"}', k="v")
    await pubsub.clock.advance(0)
    [request] = endpoint.requests
    assert request.body == b'{"type":"x"}'
    assert set(request.headers) == {"user-agent", "accept"}


async def test_without_a_wrapper_metadata_may_travel_in_headers(
    pubsub: Calls, endpoint: Endpoint
) -> None:
    await _subscribe(
        pubsub,
        {"no_wrapper": {"write_metadata": True}, "oidc_token": {"service_account_email": EMAIL}},
    )
    attributes = {
        "ce-Type": "batch.succeeded",
        "content-type": "application/json",
        "empty": "",
        "not a name": "dropped",
        "not-a-value": "line\nbreak",
        "host": "dropped",
        "Authorization": "dropped",
        "x-goog-pubsub-message-id": "forged",
    }
    message = {"data": b"{}", "attributes": attributes, "ordering_key": "key"}
    reply = await pubsub.call("Publish", types.PublishRequest(topic=TOPIC, messages=[message]))
    await pubsub.clock.advance(0)
    headers = dict(endpoint.requests[0].headers)
    assert headers.pop("authorization").startswith("Bearer ey")
    assert headers.pop("user-agent").startswith("APIs-Google")
    assert headers == {
        "accept": "application/json",
        "ce-type": "batch.succeeded",
        "content-type": "application/json",
        "empty": "",
        "x-goog-pubsub-message-id": reply.message_ids[0],
        "x-goog-pubsub-ordering-key": "key",
        "x-goog-pubsub-publish-time": "2027-01-15T08:00:00.000Z",
        "x-goog-pubsub-subscription-name": SUBSCRIPTION,
    }


async def test_a_subscription_can_change_between_pull_and_push(
    pubsub: Calls, endpoint: Endpoint
) -> None:
    await pubsub.subscribe()
    await pubsub.publish(b"first")
    await pubsub.update(["push_config"], push_config={"push_endpoint": URL})
    await pubsub.clock.advance(0)
    assert len(endpoint.requests) == 1
    await pubsub.update(["push_config.push_endpoint"], push_config={"push_endpoint": URL + "/2"})
    await pubsub.publish(b"second")
    await pubsub.clock.advance(0)
    assert endpoint.requests[1].url == URL + "/2"
    await pubsub.update(["push_config"])
    await pubsub.publish(b"third")
    assert await pubsub.payloads() == [b"third"]
    assert len(endpoint.requests) == 2


async def test_pushes_end_when_the_subscription_is_deleted(
    pubsub: Calls, endpoint: Endpoint
) -> None:
    endpoint.answer = {0: 500}
    await _subscribe(pubsub)
    await pubsub.publish()
    await pubsub.clock.advance(0)
    await pubsub.call(
        "DeleteSubscription", types.DeleteSubscriptionRequest(subscription=SUBSCRIPTION)
    )
    await pubsub.clock.advance(3600)
    assert len(endpoint.requests) == 1


async def test_pushes_are_retried_until_the_retention_ends(
    pubsub: Calls, endpoint: Endpoint
) -> None:
    await _subscribe(pubsub, message_retention_duration={"seconds": 600})
    times = await _times(pubsub, endpoint, 3600)
    assert times[-1] > 500
    assert times[-1] < 600
    assert pubsub.pubsub.backlog(SUBSCRIPTION) == 0
