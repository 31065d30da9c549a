import httpx2
import pytest

from localcloud.controlplane import Cloud
from tests.localcloud.controlplane.conftest import Api


async def test_an_unknown_call_is_answered_with_its_name(api: Api) -> None:
    code, message = await api.refused("POST", "/pubsub/v1/projects/local-project/schemas")
    assert code == "UNIMPLEMENTED"
    assert (
        message == "The local cloud does not imitate POST /pubsub/v1/projects/local-project/schemas"
    )


async def test_a_caller_without_a_token_is_nobody(cloud: Cloud) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{cloud.url}/pubsub/v1/projects/local-project/topics")
    assert answer.status_code == 401


async def test_calls_on_another_project_are_denied(api: Api) -> None:
    code, message = await api.refused("GET", "/pubsub/v1/projects/another/topics")
    assert code == "PERMISSION_DENIED"
    assert "another" in message


async def test_a_service_that_is_not_enabled_says_so(api: Api) -> None:
    await api(
        "POST", "/serviceusage/v1/projects/local-project/services/pubsub.googleapis.com:disable"
    )
    code, message = await api.refused("GET", "/pubsub/v1/projects/local-project/topics")
    assert code == "PERMISSION_DENIED"
    assert "pubsub.googleapis.com has not been used in project 123456789012" in message


async def test_what_is_not_json_is_refused(api: Api) -> None:
    path = "/pubsub/v1/projects/local-project/topics/events"
    answer = await api.client.put(path, content=b"{")
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


async def test_a_field_that_the_api_does_not_have_is_refused(api: Api) -> None:
    path = "/pubsub/v1/projects/local-project/topics/events"
    code, message = await api.refused("PUT", path, {"retention": "600s"})
    assert code == "INVALID_ARGUMENT"
    assert "retention" in message


async def test_every_call_is_recorded_and_writes_are_told_from_reads(
    cloud: Cloud, api: Api
) -> None:
    topic = "/pubsub/v1/projects/local-project/topics/events"
    await api("PUT", topic, {})
    mark = cloud.state.journal.mark()
    await api("GET", topic)
    await api("GET", f"{topic}:getIamPolicy")
    await api("POST", f"{topic}:testIamPermissions", {"permissions": []})
    await api.refused("GET", f"{topic}-2")
    assert [entry.status for entry in cloud.state.journal.since(mark)] == [200, 200, 200, 404]
    assert not cloud.state.journal.writes(mark)
    await api("DELETE", topic)
    (entry,) = cloud.state.journal.writes(mark)
    assert (entry.call, entry.service) == (f"DELETE {topic}", "pubsub.googleapis.com")
    assert entry.identity == cloud.state.deployer


async def test_the_record_can_be_read_from_outside(api: Api) -> None:
    await api.refused("GET", "/nowhere")
    assert (await api("GET", "/control/calls"))["calls"][-1]["call"] == "GET /nowhere"


async def test_the_public_keys_verify_an_identity_token(cloud: Cloud, api: Api) -> None:
    assert await api("GET", "/oauth2/v3/certs") == cloud.state.issuer.jwks()


async def test_a_call_that_is_not_known_counts_as_a_write(cloud: Cloud, api: Api) -> None:
    mark = cloud.state.journal.mark()
    await api.refused("POST", "/nowhere")
    assert len(cloud.state.journal.writes(mark)) == 1


@pytest.mark.parametrize("argument", ["pubsub", "storage", "cloudfunctions2", "cloud_run_v2"])
async def test_every_endpoint_argument_points_to_the_local_cloud(
    cloud: Cloud, argument: str
) -> None:
    assert cloud.endpoints[f"{argument}_custom_endpoint"].startswith(f"{cloud.url}/")
