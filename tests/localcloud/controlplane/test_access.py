from typing import Any

import pytest

from localcloud.controlplane.access import Binding, Policies
from localcloud.controlplane.errors import ApiError
from localcloud.controlplane.names import Project
from localcloud.controlplane.store import Resources

WORKER = "serviceAccount:worker@local-project.iam.gserviceaccount.com"
TOPIC = "projects/local-project/topics/events"
DATABASE = "projects/local-project/databases/ledger"
ROLE = "projects/local-project/roles/reader"


@pytest.fixture
def resources() -> Resources:
    found = Resources()
    email = WORKER.partition(":")[2]
    found.create(f"projects/local-project/serviceAccounts/{email}", {"email": email})
    found.create(ROLE, {"includedPermissions": ["secretmanager.versions.list"]})
    return found


@pytest.fixture
def policies(resources: Resources) -> Policies:
    return Policies(Project(), resources)


def bound(role: str, *members: str, **more: Any) -> dict[str, Any]:
    return {"version": 3, "bindings": [{"role": role, "members": list(members), **more}]}


def test_nothing_is_allowed_by_itself(policies: Policies) -> None:
    assert not policies.allows(WORKER, "pubsub.topics.publish", TOPIC)


def test_a_binding_on_the_resource_allows_what_its_role_holds(policies: Policies) -> None:
    policies.set(TOPIC, bound("roles/pubsub.publisher", WORKER))
    assert policies.allows(WORKER, "pubsub.topics.publish", TOPIC)
    assert not policies.allows(WORKER, "pubsub.topics.delete", TOPIC)
    assert not policies.allows(WORKER, "pubsub.topics.publish", f"{TOPIC}-2")
    assert not policies.allows("user:me@example.com", "pubsub.topics.publish", TOPIC)


def test_a_binding_on_the_project_is_inherited(policies: Policies) -> None:
    policies.set("projects/local-project", bound("roles/pubsub.publisher", WORKER))
    assert policies.allows(WORKER, "pubsub.topics.publish", TOPIC)


def test_a_resource_may_be_named_by_the_projects_number(policies: Policies) -> None:
    policies.set(TOPIC, bound("roles/pubsub.publisher", WORKER))
    assert policies.allows(
        WORKER, "pubsub.topics.publish", TOPIC.replace("local-project", "123456789012")
    )


@pytest.mark.parametrize(
    ("member", "caller", "allowed"),
    [
        ("allUsers", "", True),
        ("allUsers", WORKER, True),
        ("allAuthenticatedUsers", "", False),
        ("allAuthenticatedUsers", WORKER, True),
    ],
)
def test_all_users_and_all_authenticated_users_are_members(
    policies: Policies, member: str, caller: str, allowed: bool
) -> None:
    policies.set(TOPIC, bound("roles/run.invoker", member))
    assert policies.allows(caller, "run.routes.invoke", TOPIC) is allowed


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        (f'resource.name == "{DATABASE}"', True),
        (f'resource.name == "{DATABASE}-2"', False),
        ('resource.name.startsWith("projects/local-project/databases/")', True),
        ('resource.type == "firestore.googleapis.com/Database"', True),
        ('resource.service == "pubsub.googleapis.com"', False),
        ("request.time > timestamp('2020-01-01T00:00:00Z')", False),
    ],
)
def test_a_binding_holds_only_where_its_condition_does(
    policies: Policies, expression: str, allowed: bool
) -> None:
    condition = {"title": "narrow", "expression": expression}
    policies.set(
        "projects/local-project", bound("roles/datastore.user", WORKER, condition=condition)
    )
    assert policies.allows(WORKER, "datastore.entities.get", DATABASE) is allowed


def test_a_custom_role_holds_what_it_was_given_until_it_is_deleted(
    policies: Policies, resources: Resources
) -> None:
    secret = "projects/local-project/secrets/key"
    policies.set(secret, bound(ROLE, WORKER))
    version = f"{secret}/versions/1"
    assert policies.allows(WORKER, "secretmanager.versions.list", version)
    assert not policies.allows(WORKER, "secretmanager.versions.access", version)
    resources.patch(ROLE, {"deleted": True})
    assert not policies.allows(WORKER, "secretmanager.versions.list", version)


@pytest.mark.parametrize("permission", ["getOpenIdToken", "getAccessToken", "signBlob"])
def test_an_owner_may_not_act_as_an_account(policies: Policies, permission: str) -> None:
    owner = "user:owner@example.com"
    account = "projects/local-project/serviceAccounts/a@b"
    policies.grant(Binding("projects/local-project", "roles/owner", owner))
    assert policies.allows(owner, "pubsub.topics.delete", TOPIC)
    assert not policies.allows(owner, f"iam.serviceAccounts.{permission}", account)


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (bound("roles/pubsub.inventor", WORKER), "Role roles/pubsub.inventor is not supported"),
        (bound("projects/local-project/roles/none", WORKER), "is not supported"),
        (bound("roles/pubsub.publisher", "worker"), "Invalid member: 'worker'"),
        (
            bound("roles/pubsub.publisher", WORKER.replace("worker", "nobody")),
            "Service account nobody@local-project.iam.gserviceaccount.com does not exist",
        ),
        (
            bound(
                "roles/pubsub.publisher",
                "serviceAccount:service-123456789012@gcp-sa-x.iam.gserviceaccount.com",
            ),
            "does not exist",
        ),
        (
            bound("roles/pubsub.publisher", WORKER, condition={"expression": "resource.name =="}),
            "Condition expression compilation failed",
        ),
        (
            bound("roles/pubsub.publisher", WORKER, condition={"expression": "true"})
            | {"version": 1},
            "must have version 3",
        ),
    ],
)
def test_what_google_would_refuse_is_refused(
    policies: Policies, policy: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ApiError, match=problem) as refusal:
        policies.set(TOPIC, policy)
    assert refusal.value.status == 400
    assert policies.get(TOPIC) == {"version": 1, "etag": "ACAB"}


def test_members_of_other_projects_are_not_checked(policies: Policies) -> None:
    member = "serviceAccount:consumer@other-project.iam.gserviceaccount.com"
    policies.set(TOPIC, bound("roles/pubsub.subscriber", member))
    assert policies.allows(member, "pubsub.subscriptions.consume", TOPIC)


def test_a_stale_etag_is_refused(policies: Policies) -> None:
    first = policies.set(TOPIC, bound("roles/pubsub.publisher", WORKER))
    policies.set(TOPIC, {**first, "bindings": []})
    with pytest.raises(ApiError, match="concurrent policy changes") as refusal:
        policies.set(TOPIC, first)
    assert refusal.value.status == 409


def test_a_binding_without_members_is_dropped(policies: Policies) -> None:
    policies.set(TOPIC, bound("roles/pubsub.publisher"))
    assert "bindings" not in policies.get(TOPIC)


def test_deleting_a_resource_deletes_its_policies(policies: Policies) -> None:
    policies.set(TOPIC, bound("roles/pubsub.publisher", WORKER))
    policies.set(f"{TOPIC}/children/1", bound("roles/pubsub.publisher", WORKER))
    policies.set(f"{TOPIC}-2", bound("roles/pubsub.publisher", WORKER))
    policies.delete(TOPIC)
    assert [binding.resource for binding in policies.bindings()] == [f"{TOPIC}-2"]


def test_a_single_grant_can_be_revoked(policies: Policies) -> None:
    policies.set(TOPIC, bound("roles/pubsub.publisher", WORKER, "allUsers"))
    (first, _) = policies.bindings()
    policies.revoke(first)
    assert [binding.member for binding in policies.bindings()] == ["allUsers"]
    with pytest.raises(KeyError):
        policies.revoke(first)
