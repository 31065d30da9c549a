from typing import Any

import grpc
import pytest
from google.pubsub_v1 import types

from tests.support.pubsub import DEAD_TOPIC, SUBSCRIPTION, TOPIC, Calls, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


async def _get(pubsub: Calls) -> Any:
    return await pubsub.call(
        "GetSubscription", types.GetSubscriptionRequest(subscription=SUBSCRIPTION)
    )


async def test_defaults_are_filled_in(pubsub: Calls) -> None:
    created = await pubsub.subscribe()
    assert created.ack_deadline_seconds == 10
    assert created.message_retention_duration.seconds == 7 * 86400
    assert created.expiration_policy.ttl.seconds == 31 * 86400
    assert created.topic == TOPIC
    assert await _get(pubsub) == created


async def test_an_empty_expiration_policy_means_never(pubsub: Calls) -> None:
    created = await pubsub.subscribe(expiration_policy={})
    assert created.HasField("expiration_policy")
    assert not created.expiration_policy.HasField("ttl")


async def test_the_topic_s_retention_shows(pubsub: Calls) -> None:
    await pubsub.topic("projects/p/topics/kept", message_retention_duration={"seconds": 900})
    created = await pubsub.subscribe(topic="projects/p/topics/kept")
    assert created.topic_message_retention_duration.seconds == 900


async def test_a_subscription_needs_its_topics(pubsub: Calls) -> None:
    with refused(NOT_FOUND, match="missing"):
        await pubsub.subscribe(topic="projects/p/topics/missing")
    with refused(NOT_FOUND, match="dead"):
        await pubsub.subscribe(dead_letter_policy={"dead_letter_topic": DEAD_TOPIC})


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "projects/p/topics/reader"},
        {"name": "reader"},
        {"ack_deadline_seconds": 9},
        {"ack_deadline_seconds": -1},
        {"message_retention_duration": {"seconds": 599}},
        {"message_retention_duration": {"seconds": 31 * 86400 + 1}},
        {"expiration_policy": {"ttl": {"seconds": 3600}}},
        {"retry_policy": {"minimum_backoff": {"seconds": -1}}},
        {"retry_policy": {"minimum_backoff": {"seconds": 20}, "maximum_backoff": {"seconds": 10}}},
        {"dead_letter_policy": {"max_delivery_attempts": 5}},
        {"dead_letter_policy": {"dead_letter_topic": TOPIC, "max_delivery_attempts": 4}},
        {"dead_letter_policy": {"dead_letter_topic": TOPIC, "max_delivery_attempts": 101}},
        {"labels": {"UPPER": "x"}},
        {"filter": "attributes.k"},
        {"push_config": {"push_endpoint": "ftp://example.com"}},
        {"push_config": {"push_endpoint": "https://"}},
        {"push_config": {"push_endpoint": "https://[::1"}},
        {"push_config": {"push_endpoint": "https://example.com/\n"}},
        {"push_config": {"oidc_token": {"service_account_email": "a@b"}}},
        {"push_config": {"push_endpoint": "https://example.com", "oidc_token": {"audience": "x"}}},
        {
            "push_config": {"push_endpoint": "https://example.com"},
            "bigquery_config": {"table": "p.d.t"},
        },
    ],
)
async def test_settings_out_of_bounds_are_refused(pubsub: Calls, fields: dict[str, Any]) -> None:
    with refused(INVALID):
        await pubsub.subscribe(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"enable_exactly_once_delivery": True},
        {"message_transforms": [{"javascript_udf": {"function_name": "f", "code": ""}}]},
    ],
)
async def test_what_is_not_imitated_is_refused(pubsub: Calls, fields: dict[str, Any]) -> None:
    with refused(grpc.StatusCode.UNIMPLEMENTED, match="does not imitate"):
        await pubsub.subscribe(**fields)


@pytest.mark.parametrize(
    "name",
    [
        "DetachSubscription",
        "GetSnapshot",
        "ListSnapshots",
        "ListTopicSnapshots",
        "ListTopicSubscriptions",
        "ModifyPushConfig",
        "UpdateSnapshot",
    ],
)
async def test_methods_that_nothing_needs_are_refused_by_name(pubsub: Calls, name: str) -> None:
    with refused(grpc.StatusCode.UNIMPLEMENTED, match=f"does not imitate {name}"):
        await pubsub.call(name, getattr(types, f"{name}Request")())


async def test_an_update_changes_what_the_mask_names(pubsub: Calls) -> None:
    await pubsub.subscribe(labels={"a": "b"})
    changed = await pubsub.update(
        ["ack_deadline_seconds", "retry_policy"],
        ack_deadline_seconds=60,
        retry_policy={"minimum_backoff": {"seconds": 1}},
        labels={"ignored": "yes"},
    )
    assert changed.ack_deadline_seconds == 60
    assert changed.retry_policy.minimum_backoff.seconds == 1
    assert changed.labels == {"a": "b"}
    cleared = await pubsub.update(["labels", "retry_policy"])
    assert not cleared.labels
    assert not cleared.HasField("retry_policy")


async def test_an_update_may_name_a_nested_field(pubsub: Calls) -> None:
    await pubsub.topic(DEAD_TOPIC)
    await pubsub.subscribe(
        dead_letter_policy={"dead_letter_topic": DEAD_TOPIC, "max_delivery_attempts": 5}
    )
    changed = await pubsub.update(
        ["dead_letter_policy.max_delivery_attempts"],
        dead_letter_policy={"max_delivery_attempts": 50},
    )
    assert changed.dead_letter_policy.max_delivery_attempts == 50
    assert changed.dead_letter_policy.dead_letter_topic == DEAD_TOPIC


@pytest.mark.parametrize("path", ["topic", "name", "enable_message_ordering", "nope.x"])
async def test_some_fields_never_change(pubsub: Calls, path: str) -> None:
    await pubsub.subscribe(filter="attributes:k")
    with refused(INVALID, match="update_mask"):
        await pubsub.update([path], filter="attributes:other")
    assert (await _get(pubsub)).filter == "attributes:k"


async def test_a_refused_update_changes_nothing(pubsub: Calls) -> None:
    await pubsub.subscribe()
    with refused(INVALID):
        await pubsub.update(["ack_deadline_seconds"], ack_deadline_seconds=5)
    assert (await _get(pubsub)).ack_deadline_seconds == 10


async def test_subscriptions_are_listed_in_pages_by_project(pubsub: Calls) -> None:
    await pubsub.subscribe()
    await pubsub.subscribe("projects/p/subscriptions/another")
    await pubsub.subscribe("projects/q/subscriptions/other")
    first = await pubsub.call(
        "ListSubscriptions", types.ListSubscriptionsRequest(project="projects/p", page_size=1)
    )
    second = await pubsub.call(
        "ListSubscriptions",
        types.ListSubscriptionsRequest(
            project="projects/p", page_size=5, page_token=first.next_page_token
        ),
    )
    assert [each.name for each in first.subscriptions] == ["projects/p/subscriptions/another"]
    assert [each.name for each in second.subscriptions] == [SUBSCRIPTION]
    assert second.next_page_token == ""


async def test_a_deleted_subscription_is_gone(pubsub: Calls) -> None:
    await pubsub.subscribe()
    await pubsub.publish()
    await pubsub.call(
        "DeleteSubscription", types.DeleteSubscriptionRequest(subscription=SUBSCRIPTION)
    )
    await pubsub.publish()
    with refused(NOT_FOUND, match="reader"):
        await pubsub.pull()
    await pubsub.subscribe()
    assert await pubsub.pull() == []


async def test_pulling_is_not_for_push_or_export_subscriptions(pubsub: Calls) -> None:
    await pubsub.subscribe(push_config={"push_endpoint": "http://localhost/"})
    await pubsub.subscribe("projects/p/subscriptions/table", bigquery_config={"table": "p.d.t"})
    for name in (SUBSCRIPTION, "projects/p/subscriptions/table"):
        with refused(PRECONDITION, match="not supported"):
            await pubsub.pull(name=name)


async def test_requests_about_leases_are_checked(pubsub: Calls) -> None:
    await pubsub.subscribe()
    await pubsub.publish()
    [received] = await pubsub.pull()
    with refused(INVALID, match="at least one"):
        await pubsub.acknowledge()
    with refused(INVALID, match="at least one"):
        await pubsub.modify(10)
    for seconds in (-1, 601):
        with refused(INVALID, match="deadline"):
            await pubsub.modify(seconds, received)


async def test_an_ack_id_is_the_subscription_s_own(pubsub: Calls) -> None:
    await pubsub.subscribe()
    await pubsub.subscribe("projects/p/subscriptions/another")
    await pubsub.publish()
    [received] = await pubsub.pull()
    with refused(INVALID, match="does not belong"):
        await pubsub.acknowledge(received, name="projects/p/subscriptions/another")
    with refused(INVALID, match="invalid ack ID"):
        await pubsub.call(
            "Acknowledge",
            types.AcknowledgeRequest(subscription=SUBSCRIPTION, ack_ids=["nonsense"]),
        )


async def test_seeking_needs_a_time_or_a_snapshot(pubsub: Calls) -> None:
    await pubsub.subscribe()
    with refused(INVALID, match="time or a snapshot"):
        await pubsub.call("Seek", types.SeekRequest(subscription=SUBSCRIPTION))
    with refused(grpc.StatusCode.NOT_FOUND, match="resource=s"):
        await pubsub.call("Seek", types.SeekRequest(subscription=SUBSCRIPTION, snapshot="s"))


async def test_a_snapshot_has_a_name_of_its_own(pubsub: Calls) -> None:
    await pubsub.subscribe()
    wanted = types.CreateSnapshotRequest(
        name="projects/p/snapshots/s-1", subscription=SUBSCRIPTION, labels={"team": "blue"}
    )
    made = await pubsub.call("CreateSnapshot", wanted)
    assert (made.name, made.topic, dict(made.labels)) == (wanted.name, TOPIC, {"team": "blue"})
    with refused(grpc.StatusCode.ALREADY_EXISTS, match="s-1"):
        await pubsub.call("CreateSnapshot", wanted)
    wanted.name = "projects/p/topics/s-1"
    with refused(INVALID, match="Invalid resource name"):
        await pubsub.call("CreateSnapshot", wanted)
    deletion = types.DeleteSnapshotRequest(snapshot=made.name)
    await pubsub.call("DeleteSnapshot", deletion)
    with refused(grpc.StatusCode.NOT_FOUND, match="s-1"):
        await pubsub.call("DeleteSnapshot", deletion)


async def test_a_snapshot_is_of_one_topic(pubsub: Calls) -> None:
    await pubsub.subscribe()
    name = "projects/p/snapshots/s-1"
    await pubsub.call(
        "CreateSnapshot", types.CreateSnapshotRequest(name=name, subscription=SUBSCRIPTION)
    )
    other = "projects/p/subscriptions/other"
    await pubsub.topic("projects/p/topics/other")
    await pubsub.subscribe(other, topic="projects/p/topics/other")
    with refused(INVALID, match="same topic"):
        await pubsub.call("Seek", types.SeekRequest(subscription=other, snapshot=name))
