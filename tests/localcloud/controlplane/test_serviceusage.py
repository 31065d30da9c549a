from localcloud.controlplane import Cloud
from tests.localcloud.controlplane.conftest import Api

SERVICES = "/serviceusage/v1/projects/local-project/services"


async def test_a_service_is_enabled_and_brings_its_agent(cloud: Cloud, api: Api) -> None:
    await api("POST", f"{SERVICES}/pubsub.googleapis.com:disable", {})
    assert (await api("GET", f"{SERVICES}/pubsub.googleapis.com"))["state"] == "DISABLED"
    enabled = await api("POST", f"{SERVICES}/pubsub.googleapis.com:enable", {})
    assert enabled["done"] is True
    assert enabled["response"]["service"]["state"] == "ENABLED"
    agent = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    assert cloud.state.agent("pubsub.googleapis.com") == agent


async def test_several_are_enabled_at_once_and_listed(api: Api) -> None:
    names = ["logging.googleapis.com", "monitoring.googleapis.com"]
    await api("POST", f"{SERVICES}:batchEnable", {"serviceIds": names})
    listed = await api("GET", f"{SERVICES}?filter=state:ENABLED")
    assert set(names) <= {service["config"]["name"] for service in listed["services"]}


async def test_what_is_no_service_is_refused(api: Api) -> None:
    assert (await api.refused("POST", f"{SERVICES}/pubsub:enable", {}))[0] == "INVALID_ARGUMENT"
