"""Each delay and refusal of Google Cloud that the local cloud imitates, switched on by itself."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import pytest
from google.pubsub_v1 import types

from localcloud.controlplane import Cloud, Settings
from localcloud.controlplane.permissions import needed
from localcloud.controlplane.realism import Agenda, Realism, only
from localcloud.controlplane.roles import PERMISSIONS
from localcloud.core.clock import ManualClock
from tests.localcloud.controlplane.conftest import SERVICES, Api

Started = Callable[..., AbstractAsyncContextManager[tuple[Cloud, Api]]]

ENABLE = "/serviceusage/v1/projects/local-project/services/{}.googleapis.com:enable"
PROJECT = "/cloudresourcemanager/v1/projects/local-project"
TOPICS = "/pubsub/v1/projects/local-project/topics"
SUBSCRIPTION = "/pubsub/v1/projects/local-project/subscriptions/archive"
DATABASES = "/firestore/v1/projects/local-project/databases"
ROLES = "/iam/v1/projects/local-project/roles"
LOCATION = "projects/local-project/locations/europe-west1"
PUBSUB_AGENT = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"


@pytest.fixture
def start(clock: ManualClock) -> Started:
    """Start a local cloud in which some behaviours are on; all services are enabled for long."""

    @contextlib.asynccontextmanager
    async def started(
        deployer_roles: tuple[str, ...] = ("roles/owner",),
        services: tuple[str, ...] = SERVICES,
        **behaviours: Any,
    ) -> AsyncIterator[tuple[Cloud, Api]]:
        realism = only(**behaviours)
        settings = Settings(clock=clock, realism=realism, deployer_roles=deployer_roles)
        headers = {"Authorization": "Bearer x"}
        async with (
            Cloud(settings) as cloud,
            httpx2.AsyncClient(base_url=cloud.url, headers=headers, trust_env=False) as client,
        ):
            for service in services:
                cloud.state.enable(f"{service}.googleapis.com")
            await clock.advance(3600)
            yield cloud, Api(client)

    return started


async def grant(api: Api, role: str, member: str, expect: int = 200) -> dict[str, Any]:
    """Add a grant on the project, as Terraform does: read, change, write."""
    policy = await api("POST", f"{PROJECT}:getIamPolicy", {})
    binding = {"role": role, "members": [member]}
    changed = {**policy, "bindings": [*policy.get("bindings", []), binding]}
    return await api("POST", f"{PROJECT}:setIamPolicy", {"policy": changed}, expect=expect)


def test_google_has_every_behaviour_and_each_can_be_switched_on_alone() -> None:
    assert only() != Realism()
    assert only(cpu_quota=20.0).cpu_quota == 20.0
    assert only(cpu_quota=20.0).grant_propagation_seconds == 0.0


async def test_what_is_on_the_agenda_is_done_once_and_in_time(clock: ManualClock) -> None:
    agenda, done = Agenda(clock), list[str]()
    agenda.after(0, lambda: done.append("now"))
    agenda.after(2, lambda: done.append("later"))
    agenda.after(1, lambda: done.append("soon"))
    agenda.catch_up()
    assert done == ["now"]
    await clock.advance(2)
    agenda.catch_up()
    agenda.catch_up()
    assert done == ["now", "soon", "later"]


async def test_an_enabled_service_answers_late(start: Started, clock: ManualClock) -> None:
    async with start(services=(), service_activation_seconds=60.0) as (cloud, api):
        enabled = await api("POST", ENABLE.format("pubsub"), {})
        assert enabled["response"]["service"]["state"] == "ENABLED"
        for _ in range(2):
            refused = (await api("PUT", f"{TOPICS}/events", {}, expect=403))["error"]
            assert refused["details"][0]["reason"] == "SERVICE_DISABLED"
            await clock.advance(29)
        assert not cloud.state.is_active("pubsub.googleapis.com")
        await clock.advance(2)
        await api("PUT", f"{TOPICS}/events", {})


async def test_a_delay_passes_at_its_rate(start: Started, clock: ManualClock) -> None:
    async with start(services=(), service_activation_seconds=60.0, rate=20.0) as (_, api):
        await api("POST", ENABLE.format("pubsub"), {})
        await clock.advance(2.9)
        await api("PUT", f"{TOPICS}/events", {}, expect=403)
        await clock.advance(0.1)
        await api("PUT", f"{TOPICS}/events", {})


async def test_a_service_agent_is_made_late(start: Started, clock: ManualClock) -> None:
    async with start(services=(), agent_creation_seconds=60.0) as (cloud, api):
        await api("POST", ENABLE.format("pubsub"), {})
        refused = await grant(api, "roles/pubsub.publisher", PUBSUB_AGENT, expect=400)
        assert refused["error"]["message"] == (
            f"Service account {PUBSUB_AGENT.partition(':')[2]} does not exist."
        )
        members = [binding.member for binding in cloud.state.policies.bindings()]
        assert PUBSUB_AGENT not in members
        await clock.advance(60)
        await grant(api, "roles/pubsub.publisher", PUBSUB_AGENT)
        held = {b.role for b in cloud.state.policies.bindings() if b.member == PUBSUB_AGENT}
        assert held == {"roles/pubsub.publisher", "roles/pubsub.serviceAgent"}


async def test_a_service_agent_is_made_at_once_when_it_is_asked_for(start: Started) -> None:
    async with start(services=(), agent_creation_seconds=60.0) as (_, api):
        services = "/serviceusage/v1beta1/projects/local-project/services"
        made = await api("POST", f"{services}/pubsub.googleapis.com:generateServiceIdentity", {})
        assert made["response"]["email"] == PUBSUB_AGENT.partition(":")[2]
        await grant(api, "roles/pubsub.publisher", PUBSUB_AGENT)
        no_agent = f"{services}/logging.googleapis.com:generateServiceIdentity"
        assert (await api.refused("POST", no_agent, {}))[0] == "INVALID_ARGUMENT"


async def test_a_grant_shows_at_once_and_counts_late(start: Started, clock: ManualClock) -> None:
    async with start(grant_propagation_seconds=120.0) as (cloud, api):
        member, topic = "user:them@example.com", "projects/local-project/topics/events"
        set_to = await grant(api, "roles/pubsub.publisher", member)
        assert {"role": "roles/pubsub.publisher", "members": [member]} in set_to["bindings"]
        policies = cloud.state.policies
        await clock.advance(119)
        assert not policies.allows(member, "pubsub.topics.publish", topic)
        await grant(api, "roles/pubsub.subscriber", member)
        await clock.advance(1)
        assert policies.allows(member, "pubsub.topics.publish", topic)
        assert not policies.allows(member, "pubsub.topics.attachSubscription", topic)
        await clock.advance(119)
        assert policies.allows(member, "pubsub.topics.attachSubscription", topic)


async def test_a_grant_that_is_taken_away_counts_for_a_while(
    start: Started, clock: ManualClock
) -> None:
    async with start(grant_propagation_seconds=120.0) as (cloud, api):
        member, topic = "user:them@example.com", "projects/local-project/topics/events"
        before = await api("POST", f"{PROJECT}:getIamPolicy", {})
        after = await grant(api, "roles/pubsub.publisher", member)
        await clock.advance(120)
        policy = {**before, "etag": after["etag"]}
        await api("POST", f"{PROJECT}:setIamPolicy", {"policy": policy})
        assert cloud.state.policies.allows(member, "pubsub.topics.publish", topic)
        await clock.advance(120)
        assert not cloud.state.policies.allows(member, "pubsub.topics.publish", topic)


async def test_a_new_named_database_may_not_be_found(start: Started, clock: ManualClock) -> None:
    async with start(database_visibility_seconds=10.0) as (_, api):
        body = {"locationId": "europe-west1", "type": "FIRESTORE_NATIVE"}
        for name in ("ledger", "(default)"):
            await api("POST", f"{DATABASES}?databaseId={name}", body)
        assert (await api.refused("GET", f"{DATABASES}/ledger"))[0] == "NOT_FOUND"
        await api("GET", f"{DATABASES}/(default)")
        again = await api.refused("POST", f"{DATABASES}?databaseId=ledger", body)
        assert again[0] == "ALREADY_EXISTS"
        await clock.advance(10)
        await api("GET", f"{DATABASES}/ledger")


async def test_the_name_of_a_deleted_database_is_free_late(
    start: Started, clock: ManualClock
) -> None:
    async with start(database_name_seconds=300.0) as (_, api):
        body = {"locationId": "europe-west1", "type": "FIRESTORE_NATIVE"}
        await api("POST", f"{DATABASES}?databaseId=ledger", body)
        await api("DELETE", f"{DATABASES}/ledger")
        await clock.advance(100.5)
        code, message = await api.refused("POST", f"{DATABASES}?databaseId=ledger", body)
        assert code == "FAILED_PRECONDITION"
        assert "'ledger' is not available in project" in message
        assert "Please retry in 200 seconds." in message
        await clock.advance(199.5)
        await api("POST", f"{DATABASES}?databaseId=ledger", body)


async def test_the_id_of_a_deleted_role_stays_blocked(start: Started, clock: ManualClock) -> None:
    days = 86_400.0
    behaviours = {"role_restorable_seconds": 7 * days, "role_id_blocked_seconds": 37 * days}
    async with start(**behaviours) as (_, api):
        made = {"roleId": "reader", "role": {"includedPermissions": ["pubsub.topics.get"]}}
        path = f"{ROLES}/reader"
        await api("POST", ROLES, made)
        await api("DELETE", path)
        await clock.advance(6 * days)
        assert (await api("GET", path))["deleted"] is True
        await api("POST", f"{path}:undelete", {})
        await api("DELETE", path)
        await clock.advance(2 * days)
        assert (await api("GET", path))["deleted"] is True
        await clock.advance(5 * days)
        assert (await api.refused("GET", path))[0] == "NOT_FOUND"
        assert (await api.refused("POST", f"{path}:undelete", {}))[0] == "NOT_FOUND"
        blocked = await api.refused("POST", ROLES, made)
        assert blocked[0] == "FAILED_PRECONDITION"
        await clock.advance(30 * days)
        await api("POST", ROLES, made)


@pytest.mark.parametrize(("omit", "kept"), [(True, {"width", "height"}), (False, None)])
async def test_a_dashboard_comes_back_without_zeros(
    start: Started, omit: bool, kept: set[str] | None
) -> None:
    async with start(dashboards_omit_zeros=omit) as (_, api):
        tile = {"xPos": 0, "yPos": 0, "width": 4, "height": 4}
        other = {**tile, "xPos": 4}
        board = {"displayName": "d", "mosaicLayout": {"columns": 12, "tiles": [tile, other]}}
        made = await api("POST", "/monitoring/v1/projects/local-project/dashboards", board)
        first, second = made["mosaicLayout"]["tiles"]
        assert first.keys() == (kept or tile.keys())
        assert second["xPos"] == 4
        assert ("yPos" in second) is not omit


async def test_an_archive_waits_no_longer_than_it_may_hold_a_message(start: Started) -> None:
    async with start(storage_duration_within_deadline=True) as (cloud, api):
        await api("POST", "/storage/v1/b?project=local-project", {"name": "archive"})
        members = [PUBSUB_AGENT]
        writing = {"bindings": [{"role": "roles/storage.admin", "members": members}]}
        await api("PUT", "/storage/v1/b/archive/iam", writing)
        await api("PUT", f"{TOPICS}/events", {})
        topic = "projects/local-project/topics/events"
        config = {"bucket": "archive", "maxDuration": "300s"}
        wanted = {"topic": topic, "ackDeadlineSeconds": 60, "cloudStorageConfig": config}
        code, message = await api.refused("PUT", SUBSCRIPTION, wanted)
        assert code == "INVALID_ARGUMENT"
        assert "acknowledgement deadline (60s)" in message
        await api("PUT", SUBSCRIPTION, {**wanted, "ackDeadlineSeconds": 300})
        shorter = {"subscription": {"ackDeadlineSeconds": 60}, "updateMask": "ackDeadlineSeconds"}
        assert (await api.refused("PATCH", SUBSCRIPTION, shorter))[0] == "INVALID_ARGUMENT"
        held = await cloud.pubsub.services["google.pubsub.v1.Subscriber"][
            "GetSubscription"
        ].handler(types.GetSubscriptionRequest.pb()(subscription=SUBSCRIPTION[11:]))
        assert held.ack_deadline_seconds == 300


async def function(api: Api, account: str, **service: Any) -> dict[str, Any]:
    """Ask for a function whose source is missing: what is refused earlier says so."""
    identity = f"projects/local-project/serviceAccounts/{account}"
    source = {"storageSource": {"bucket": "b", "object": "o"}}
    body = {
        "buildConfig": {"runtime": "python313", "serviceAccount": identity, "source": source},
        "serviceConfig": {"serviceAccountEmail": account, **service},
    }
    return await api("POST", f"/cloudfunctions/v2/{LOCATION}/functions?functionId=f", body)


@pytest.fixture
async def worker(start: Started) -> AsyncIterator[tuple[Api, str]]:
    async with start(cpu_quota=20.0) as (_, api):
        body = {"accountId": "worker"}
        made = await api("POST", "/iam/v1/projects/local-project/serviceAccounts", body)
        yield api, str(made["email"])


@pytest.mark.parametrize(
    ("instances", "cpu", "refused"), [(20, "1", False), (21, "1", True), (11, "2", True)]
)
async def test_instances_are_bounded_by_the_regions_cpus(
    worker: tuple[Api, str], instances: int, cpu: str, refused: bool
) -> None:
    failed = await function(*worker, maxInstanceCount=instances, availableCpu=cpu)
    violated = "Quota violated:\nCpuAllocPerProjectRegion requested: "
    assert (violated in failed["error"]["message"]) is refused


async def test_a_repository_is_granted_to_the_functions_agent_itself(start: Started) -> None:
    async with start(repository_granted_by_itself=True) as (cloud, api):
        body = {"accountId": "worker"}
        made = await api("POST", "/iam/v1/projects/local-project/serviceAccounts", body)
        repositories = f"/artifactregistry/v1/{LOCATION}/repositories"
        await api("POST", f"{repositories}?repositoryId=images", {"format": "DOCKER"})
        repository = f"{LOCATION}/repositories/images"
        build = {
            "runtime": "python313",
            "serviceAccount": f"projects/local-project/serviceAccounts/{made['email']}",
            "dockerRepository": repository,
        }
        service = {"serviceAccountEmail": made["email"]}
        deploying = f"/cloudfunctions/v2/{LOCATION}/functions?functionId=f"
        refused = {"buildConfig": build, "serviceConfig": service}
        failed = await api("POST", deploying, refused)
        assert "Unable to retrieve the repository metadata" in failed["error"]["message"]
        agent = cloud.state.agent("cloudfunctions.googleapis.com")
        grant = {"role": "roles/artifactregistry.reader", "members": [agent]}
        cloud.state.policies.set(repository, {"bindings": [grant]})
        failed = await api("POST", deploying, refused)
        assert "Build failed: the service account" in failed["error"]["message"]


async def test_a_function_with_a_key_needs_it_for_every_agent(start: Started) -> None:
    async with start(keys_for_every_agent=True, services=(*SERVICES, "eventarc")) as (cloud, api):
        worker = "worker@local-project.iam.gserviceaccount.com"
        cloud.state.resources.put(f"{cloud.state.root}/serviceAccounts/{worker}", {})
        cloud.state.create_agents("storage.googleapis.com")
        key = f"{LOCATION}/keyRings/r/cryptoKeys/k"
        cloud.state.resources.put(key, {"name": key})
        users = ("cloudfunctions", "artifactregistry", "run", "storage", "eventarc")
        agents = [cloud.state.agent(f"{user}.googleapis.com") for user in users]
        role = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
        path = f"/cloudfunctions/v2/{LOCATION}/functions?functionId=f"
        identity = f"projects/local-project/serviceAccounts/{worker}"
        body = {
            "buildConfig": {"runtime": "python313", "serviceAccount": identity},
            "serviceConfig": {"serviceAccountEmail": worker},
            "kmsKeyName": key,
        }
        for count in range(len(agents)):
            policy = {"bindings": [{"role": role, "members": agents[:count]}]}
            cloud.state.policies.set(key, policy)
            assert (await api.refused("POST", path, body))[0] == "PERMISSION_DENIED"
        cloud.state.policies.set(key, {"bindings": [{"role": role, "members": agents}]})
        await api("POST", path, body)


async def test_a_deployer_needs_the_permission_of_each_call(start: Started) -> None:
    roles = ("roles/pubsub.editor",)
    async with start(deployer_roles=roles, callers_need_permissions=True) as (cloud, api):
        await api("PUT", f"{TOPICS}/events", {})
        code, message = await api.refused(
            "POST", f"{TOPICS}/events:setIamPolicy", {"policy": {"bindings": []}}
        )
        assert code == "PERMISSION_DENIED"
        assert "'pubsub.topics.setIamPolicy' denied" in message
        asked = {"permissions": ["pubsub.topics.publish", "pubsub.topics.setIamPolicy"]}
        told = await api("POST", f"{TOPICS}/events:testIamPermissions", asked)
        assert told["permissions"] == ["pubsub.topics.publish"]
        assert [b for b in await cloud.remains() if "of user:" in b] == []


async def test_the_end_of_an_operation_is_asked_for_by_whoever_may(start: Started) -> None:
    roles = ("roles/datastore.owner", "roles/monitoring.editor")
    asked = {"operations_are_asked_for": True, "callers_need_permissions": True}
    async with start(roles, **asked) as (_, api):
        database = {"locationId": "europe-west1"}
        begun = await api("POST", f"{DATABASES}?databaseId=ledger", database)
        assert "done" not in begun
        ended = await api("GET", f"/firestore/v1/{begun['name']}")
        assert ended["done"] is True
        assert ended["response"]["locationId"] == "europe-west1"
        # Monitoring Editor may enable a service, and not ask what has become of that.
        begun = await api("POST", ENABLE.format("run"))
        refusal = await api.refused("GET", f"/serviceusage/v1/{begun['name']}")
        assert refusal[0] == "PERMISSION_DENIED"
        assert "serviceusage.operations.get" in refusal[1]
        assert (await api.refused("GET", f"/firestore/v1/{ended['name']}0"))[0] == "NOT_FOUND"


async def test_whoever_has_something_run_as_an_account_must_be_allowed_to(start: Started) -> None:
    roles = ("roles/cloudscheduler.admin", "roles/pubsub.admin", "roles/cloudfunctions.admin")
    async with start(deployer_roles=roles, callers_need_permissions=True) as (cloud, api):
        worker = "worker@local-project.iam.gserviceaccount.com"
        name = f"{cloud.state.root}/serviceAccounts/{worker}"
        cloud.state.resources.put(name, {"email": worker})
        token = {"serviceAccountEmail": worker}
        job = {
            "name": f"{LOCATION}/jobs/j",
            "schedule": "* * * * *",
            "httpTarget": {"uri": "https://f.example", "oidcToken": token},
        }
        await api("PUT", f"{TOPICS}/events", {})
        push = {
            "topic": "projects/local-project/topics/events",
            "pushConfig": {"pushEndpoint": "https://f.example", "oidcToken": token},
        }
        built = {
            "buildConfig": {"runtime": "python313", "serviceAccount": name},
            "serviceConfig": {"serviceAccountEmail": worker},
        }
        calls: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", f"/cloudscheduler/v1/{LOCATION}/jobs", job),
            ("PUT", "/pubsub/v1/projects/local-project/subscriptions/pushed", push),
            ("POST", f"/cloudfunctions/v2/{LOCATION}/functions?functionId=f", built),
        ]
        for call in calls:
            assert "iam.serviceAccounts.actAs" in (await api.refused(*call))[1]
        role = "roles/iam.serviceAccountUser"
        policy = {"bindings": [{"role": role, "members": [cloud.state.deployer]}]}
        cloud.state.policies.set(name, policy)
        for call in calls:
            await api(*call)


async def test_an_alert_on_a_log_match_needs_a_right_to_notification_rules(start: Started) -> None:
    editor = "roles/monitoring.editor"
    alert: dict[str, Any] = {
        "displayName": "a",
        "combiner": "OR",
        "conditions": [{"displayName": "c", "conditionMatchedLog": {"filter": "severity=ERROR"}}],
    }
    path = "/monitoring/v3/projects/local-project/alertPolicies"
    async with start(deployer_roles=(editor,), callers_need_permissions=True) as (_, api):
        code, message = await api.refused("POST", path, alert)
        assert code == "PERMISSION_DENIED"
        assert "'logging.notificationRules.create'" in message
    roles = (editor, "roles/logging.configWriter")
    async with start(deployer_roles=roles, callers_need_permissions=True) as (_, api):
        made = await api("POST", path, alert)
        await api("PATCH", f"/monitoring/v3/{made['name']}", {"enabled": False})
        two = {**alert, "conditions": alert["conditions"] * 2}
        assert (await api.refused("POST", path, two))[0] == "INVALID_ARGUMENT"


async def test_every_route_needs_a_permission_that_google_has(cloud: Cloud) -> None:
    # There is no way to change a key ring, at Google either.
    unknown = {"cloudkms.keyRings.update", ""}
    permissions = {
        needed(plane.service, route.method, route.pattern)
        for plane in cloud.planes
        for route in plane.routes
    }
    assert permissions - PERMISSIONS == unknown
