from localcloud.controlplane import Cloud
from tests.localcloud.controlplane.conftest import Api

PROJECT = "/cloudresourcemanager/v1/projects/local-project"


async def test_the_project_is_described_with_its_billing(api: Api) -> None:
    assert (await api("GET", PROJECT))["projectNumber"] == "123456789012"
    assert (await api("GET", PROJECT.replace("v1", "v3")))["name"] == "projects/123456789012"
    assert (await api("GET", "/cloudbilling/v1/projects/local-project/billingInfo"))[
        "billingEnabled"
    ]


async def test_a_new_projects_policy_holds_its_owner_and_agents(cloud: Cloud, api: Api) -> None:
    policy = await api("POST", f"{PROJECT}:getIamPolicy", {})
    roles = {binding["role"] for binding in policy["bindings"]}
    assert {
        "roles/owner",
        "roles/pubsub.serviceAgent",
        "roles/cloudscheduler.serviceAgent",
    } <= roles
    assert all(cloud.state.is_googles(binding) for binding in cloud.state.policies.bindings())


async def test_permissions_can_be_tested(api: Api) -> None:
    asked = ["pubsub.topics.create", "iam.serviceAccounts.getOpenIdToken"]
    answer = await api("POST", f"{PROJECT}:testIamPermissions", {"permissions": asked})
    assert answer == {"permissions": ["pubsub.topics.create"]}
