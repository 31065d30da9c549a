import pytest

from localcloud.controlplane import Cloud
from tests.localcloud.controlplane.conftest import Api, Json

PROJECT = "/pubsub/v1/projects/local-project"
TOPIC = "projects/local-project/topics/events"


@pytest.fixture
async def topic(api: Api) -> str:
    created = await api("PUT", f"{PROJECT}/topics/events", {"labels": {"a": "b"}})
    return str(created["name"])


async def test_a_topic_lives_in_the_emulator(cloud: Cloud, api: Api, topic: str) -> None:
    assert cloud.pubsub.published_count(topic) == 0
    change = {
        "topic": {"messageRetentionDuration": "600s"},
        "updateMask": "messageRetentionDuration",
    }
    assert (await api("PATCH", f"/pubsub/v1/{topic}", change))["messageRetentionDuration"] == "600s"
    assert (await api("GET", f"{PROJECT}/topics"))["topics"][0]["labels"] == {"a": "b"}
    await api("DELETE", f"/pubsub/v1/{topic}")
    assert (await api.refused("GET", f"/pubsub/v1/{topic}"))[0] == "NOT_FOUND"


async def test_a_subscription_lives_in_the_emulator(cloud: Cloud, api: Api, topic: str) -> None:
    path = f"{PROJECT}/subscriptions/mine"
    created = await api("PUT", path, {"topic": topic, "ackDeadlineSeconds": 30})
    assert cloud.pubsub.backlog(created["name"]) == 0
    change = {"subscription": {"ackDeadlineSeconds": 60}, "updateMask": "ackDeadlineSeconds"}
    assert (await api("PATCH", path, change))["ackDeadlineSeconds"] == 60
    # As the google provider sends it.
    change = {"subscription": {"ackDeadlineSeconds": 90}}
    updated = await api("PATCH", f"{path}?updateMask=ackDeadlineSeconds", change)
    assert updated["ackDeadlineSeconds"] == 90
    assert len((await api("GET", f"{PROJECT}/subscriptions"))["subscriptions"]) == 1
    await api("DELETE", path)
    assert (await api.refused("GET", path))[0] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("more", "code", "problem"),
    [
        ({"topic": f"{TOPIC}-2"}, "NOT_FOUND", "events-2"),
        ({"filter": "attributes.a ="}, "INVALID_ARGUMENT", "Invalid filter string"),
        (
            {"deadLetterPolicy": {"deadLetterTopic": f"{TOPIC}-2", "maxDeliveryAttempts": 5}},
            "NOT_FOUND",
            "events-2",
        ),
        (
            {
                "pushConfig": {
                    "pushEndpoint": "https://a",
                    "oidcToken": {"serviceAccountEmail": "a@b"},
                }
            },
            "NOT_FOUND",
            "a@b",
        ),
        ({"cloudStorageConfig": {"bucket": "none"}}, "NOT_FOUND", "none"),
        ({"bigqueryConfig": {"table": "p.d"}}, "INVALID_ARGUMENT", "project.dataset.table"),
        ({"bigqueryConfig": {"table": "local-project.d.t"}}, "NOT_FOUND", "datasets/d/tables/t"),
        ({"ackDeadline": 5}, "INVALID_ARGUMENT", "ackDeadline"),
    ],
)
@pytest.mark.usefixtures("topic")
async def test_what_google_would_refuse_is_refused(
    api: Api, more: Json, code: str, problem: str
) -> None:
    body = {"topic": TOPIC, **more}
    refused, message = await api.refused("PUT", f"{PROJECT}/subscriptions/mine", body)
    assert refused == code
    assert problem in message


async def test_a_bucket_takes_messages_once_pubsub_may_write_to_it(
    cloud: Cloud, api: Api, topic: str
) -> None:
    await api("POST", "/storage/v1/b?project=local-project", {"name": "local-archive"})
    body = {"topic": topic, "cloudStorageConfig": {"bucket": "local-archive"}}
    code, message = await api.refused("PUT", f"{PROJECT}/subscriptions/archive", body)
    assert code == "FAILED_PRECONDITION"
    assert "storage.buckets.get, storage.objects.create" in message
    agent = cloud.state.agent("pubsub.googleapis.com")
    roles = ("roles/storage.legacyBucketReader", "roles/storage.objectCreator")
    bindings = [{"role": role, "members": [agent]} for role in roles]
    await api("PUT", "/storage/v1/b/local-archive/iam", {"bindings": bindings})
    await api("PUT", f"{PROJECT}/subscriptions/archive", body)


async def test_a_policy_belongs_to_what_exists(api: Api, topic: str) -> None:
    binding = {"role": "roles/pubsub.publisher", "members": ["user:me@example.com"]}
    path = f"/pubsub/v1/{topic}"
    await api("POST", f"{path}:setIamPolicy", {"policy": {"bindings": [binding]}})
    assert (await api("GET", f"{path}:getIamPolicy"))["bindings"] == [binding]
    await api("DELETE", path)
    assert (await api.refused("GET", f"{path}:getIamPolicy"))[0] == "NOT_FOUND"
    await api("PUT", path, {})
    assert "bindings" not in await api("GET", f"{path}:getIamPolicy")
