"""What a plan of an empty project shows; nothing is asked of Google."""

import base64
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.starts import BUILD_ENVIRON
from relay.dispatcher.function import create as create_dispatcher
from relay.receiver.function import create as create_receiver
from tests.infra.plans import API_KEY, EVERYTHING, MINIMAL, Plan
from tests.infra.plans import environment as _environment
from tests.infra.plans import of as _of
from tests.infra.plans import resources as _resources
from tests.infra.workspace import Workspace

INVENTORY = Path(__file__).parent / "inventory"
ROLES: dict[str, list[str]] = json.loads(Path(__file__).with_name("roles.json").read_text())


@pytest.fixture(scope="module")
def guarded(workspace: Workspace) -> Plan:
    """A deployment behind a load balancer, in an organisation that forbids public grants."""
    given = MINIMAL | {
        "load_balancer": json.dumps({"domain": "events.example.com", "requests_per_minute": 600}),
        "public": "false",
    }
    return workspace.plan(".", given, api_key=API_KEY)


@pytest.fixture(scope="module")
def repeated(workspace: Workspace) -> Plan:
    """A deployment that gives a name of ours to something else, or names the same thing twice."""
    given = MINIMAL | {
        "operators": json.dumps(["user:other@example.com", MINIMAL["deployer"]]),
        "subscribers": json.dumps({"relay": {"pull": {}}}),
    }
    return workspace.plan(".", given, api_key=API_KEY)


@pytest.mark.parametrize("name", ["minimal", "everything"])
def test_inventory(name: str, request: pytest.FixtureRequest) -> None:
    addresses = sorted(_resources(request.getfixturevalue(name)))
    planned = "".join(f"{address}\n" for address in addresses)
    expected = INVENTORY / f"{name}.txt"
    assert planned == expected.read_text(), f"if that is meant, write it to {expected}"


@pytest.mark.parametrize("name", ["minimal", "everything"])
def test_the_api_key_is_nowhere_in_the_plan(name: str, request: pytest.FixtureRequest) -> None:
    assert API_KEY not in json.dumps(request.getfixturevalue(name))


def test_a_subscription_of_ours_keeps_messages_31_days_and_never_expires(everything: Plan) -> None:
    subscriptions = _of(everything, "google_pubsub_subscription")
    assert len(subscriptions) == 13
    for address, values in subscriptions.items():
        assert values["message_retention_duration"] == "2678400s", address
        assert values["expiration_policy"] == [{"ttl": ""}], address


def test_the_dispatchers_deadlines_fit_together(minimal: Plan) -> None:
    resources = _resources(minimal)
    dispatch = resources["module.dispatcher.google_pubsub_subscription.dispatch"]
    functions = _of(minimal, "google_cloudfunctions2_function").values()
    (function,) = [each for each in functions if each["name"].endswith("dispatcher")]
    lease = int(_environment(minimal, "dispatcher")["LEASE_SECONDS"])
    assert function["service_config"][0]["timeout_seconds"] == 60
    assert dispatch["ack_deadline_seconds"] == 90
    assert lease == 120
    assert dispatch["retry_policy"] == [{"maximum_backoff": "600s", "minimum_backoff": "10s"}]
    assert dispatch["dead_letter_policy"][0]["max_delivery_attempts"] == 100


def test_every_function_fits_a_new_projects_quota_of_cpus_with_room(minimal: Plan) -> None:
    # https://cloud.google.com/run/quotas; checked when a function is deployed.
    quota = 20
    sizes = [
        each["service_config"][0]
        for each in _of(minimal, "google_cloudfunctions2_function").values()
    ]
    assert len(sizes) == 3
    for size in sizes:
        assert 2 * size["max_instance_count"] * float(size["available_cpu"]) <= quota


def test_what_a_build_compiles_is_of_use_to_an_instance(everything: Plan) -> None:
    functions = _of(everything, "google_cloudfunctions2_function")
    assert len(functions) == 5
    for address, function in functions.items():
        assert function["build_config"][0]["environment_variables"] == BUILD_ENVIRON, address


def test_ingress_keeps_messages_for_replay(minimal: Plan, everything: Plan) -> None:
    def retention(plan: Plan) -> dict[str, str | None]:
        topics = _of(plan, "google_pubsub_topic").values()
        return {topic["name"]: topic["message_retention_duration"] for topic in topics}

    assert retention(minimal) == {
        "gemini-webhooks-dead-letter": None,
        "gemini-webhooks-events": None,
        "gemini-webhooks-ingress": "604800s",
    }
    assert retention(everything)["relay-staging-events"] == "86400s"


def test_only_the_receiver_is_public_and_the_dispatcher_is_internal(minimal: Plan) -> None:
    functions = _of(minimal, "google_cloudfunctions2_function").values()
    ingress = {each["name"]: each["service_config"][0]["ingress_settings"] for each in functions}
    assert ingress == {
        "gemini-webhooks-dispatcher": "ALLOW_INTERNAL_ONLY",
        "gemini-webhooks-receiver": "ALLOW_ALL",
        "gemini-webhooks-registrar": "ALLOW_ALL",
    }
    public = [
        address
        for address, values in _resources(minimal).items()
        if "iam_member" in address and values["member"].startswith("all")
    ]
    assert public == [
        'module.receiver.module.function.google_cloud_run_v2_service_iam_member.invokers["public"]'
    ]


def test_behind_a_load_balancer_the_receiver_is_reached_in_no_other_way(
    minimal: Plan, guarded: Plan
) -> None:
    assert [name for name in _resources(minimal) if "google_compute" in name] == []
    receiver = _resources(guarded)[
        "module.receiver.module.function.google_cloudfunctions2_function.function"
    ]
    assert receiver["service_config"][0]["ingress_settings"] == "ALLOW_INTERNAL_AND_GCLB"
    (policy,) = _of(guarded, "google_compute_security_policy").values()
    limit, rest = sorted(policy["rule"], key=lambda rule: rule["priority"])
    assert (limit["action"], rest["action"]) == ("throttle", "allow")
    assert limit["rate_limit_options"][0]["exceed_action"] == "deny(429)"
    assert limit["rate_limit_options"][0]["rate_limit_threshold"] == [
        {"count": 600, "interval_sec": 60}
    ]
    (certificate,) = _of(guarded, "google_compute_managed_ssl_certificate").values()
    assert certificate["managed"] == [{"domains": ["events.example.com"]}]
    # Gemini and the health check are given the domain.
    outputs = guarded["planned_values"]["outputs"]
    assert outputs["webhook_url"]["value"] == "https://events.example.com/"
    (check,) = _of(guarded, "google_monitoring_uptime_check_config").values()
    assert check["monitored_resource"][0]["labels"]["host"] == "events.example.com"
    services = {each["service"] for each in _of(guarded, "google_project_service").values()}
    assert "compute.googleapis.com" in services


def test_where_a_policy_forbids_it_nobody_is_granted_the_public(guarded: Plan) -> None:
    members = {values.get("member") for values in _resources(guarded).values()}
    assert "allUsers" not in members


def test_every_function_has_an_identity_of_its_own(minimal: Plan) -> None:
    functions = _of(minimal, "google_cloudfunctions2_function").values()
    identities = Counter(f["service_config"][0]["service_account_email"] for f in functions)
    assert identities == {
        f"gemini-webhooks-{hop}@my-project.iam.gserviceaccount.com": 1
        for hop in ("dispatcher", "receiver", "registrar")
    }


def test_roles_on_the_project_are_those_that_the_design_names(everything: Plan) -> None:
    grants = _of(everything, "google_project_iam_member")
    granted = {
        address: (values["role"], [condition["expression"] for condition in values["condition"]])
        for address, values in grants.items()
    }
    ledger = 'resource.name == "projects/my-project/databases/relay-staging"'
    jobs = 'resource.name == "projects/my-project/databases/relay-staging-jobs"'
    clients = f'module.jobs[0].google_project_iam_member.clients["{EVERYTHING["application"]}"]'
    narrowed = granted.pop("module.builder.google_project_iam_member.source_viewer")
    assert narrowed[0] == "roles/storage.objectViewer"
    assert granted == {
        "module.builder.google_project_iam_member.log_writer": ("roles/logging.logWriter", []),
        "module.dispatcher.google_project_iam_member.jobs[0]": ("roles/datastore.user", [jobs]),
        "module.dispatcher.google_project_iam_member.ledger": ("roles/datastore.user", [ledger]),
        clients: ("roles/datastore.user", [jobs]),
        "module.reconciler[0].google_project_iam_member.jobs": ("roles/datastore.user", [jobs]),
        "module.reconciler[0].google_project_iam_member.ledger": (
            "roles/datastore.viewer",
            [ledger],
        ),
        "module.registrar.google_project_iam_member.ledger": ("roles/datastore.user", [ledger]),
    }


def test_the_receiver_reads_the_signing_secret_by_predefined_roles(minimal: Plan) -> None:
    grants = _of(minimal, "google_secret_manager_secret_iam_member")
    assert {
        values["role"]
        for address, values in grants.items()
        if address.startswith("module.receiver.")
    } == {"roles/secretmanager.secretAccessor", "roles/secretmanager.viewer"}
    # What they hold beyond the design; see docs/deploy.md.
    held = {
        each
        for role in ("secretAccessor", "viewer")
        for each in ROLES[f"roles/secretmanager.{role}"]
    }
    assert {each for each in held if each.startswith("secretmanager.versions.")} == {
        "secretmanager.versions.access",
        "secretmanager.versions.get",
        "secretmanager.versions.list",
    }


def test_the_registrars_role_is_no_predefined_one_and_its_id_never_comes_again(
    minimal: Plan,
) -> None:
    (role,) = _of(minimal, "google_project_iam_custom_role").values()
    needed = {
        f"secretmanager.versions.{verb}" for verb in ("access", "add", "disable", "enable", "list")
    }
    assert set(role["permissions"]) == needed
    # Every set of predefined roles that holds these may destroy versions too.
    assert all(
        "secretmanager.versions.destroy" in held
        for held in ROLES.values()
        if "secretmanager.versions.disable" in held
    )
    # Google blocks the id of a deleted role for weeks, so the plan cannot know it.
    assert "role_id" not in role


def test_the_receiver_is_given_what_its_contract_names(minimal: Plan, everything: Plan) -> None:
    assert _environment(minimal, "receiver") == {
        "CONCURRENCY": "80",
        "GOOGLE_CLOUD_PROJECT": "my-project",
        "INGRESS_TOPIC": "projects/my-project/topics/gemini-webhooks-ingress",
        "MAX_BODY_BYTES": "262144",
        "MEMORY_MIB": "512",
        "SCHEMES": "v1",
        "SIGNING_SECRET": "projects/my-project/secrets/gemini-webhooks-signing-secret",
        "TIMESTAMP_TOLERANCE_SECONDS": "300",
    }
    assert _environment(everything, "receiver")["JWT_AUDIENCE"] == "https://events.example.com"


def test_the_dispatcher_is_given_its_routes(minimal: Plan, everything: Plan) -> None:
    by_default = _environment(minimal, "dispatcher")
    assert json.loads(by_default.pop("ROUTES")) == []
    assert by_default == {
        "DEAD_LETTER_TOPIC": "projects/my-project/topics/gemini-webhooks-dead-letter",
        "DEDUP_RETENTION_DAYS": "7",
        "EVENTS_TOPIC": "projects/my-project/topics/gemini-webhooks-events",
        "FIRESTORE_DATABASE": "gemini-webhooks",
        "GOOGLE_CLOUD_PROJECT": "my-project",
        "LEASE_SECONDS": "120",
        "OIDC_AUDIENCE": "https://gemini-webhooks-dispatcher-123456789012.europe-west1.run.app",
        "OIDC_EMAILS": "gemini-webhooks-push@my-project.iam.gserviceaccount.com",
    }
    assert json.loads(_environment(everything, "dispatcher")["ROUTES"]) == [
        {
            "metadata": {"team": "blue"},
            "name": "blue",
            "topic": "projects/my-project/topics/relay-staging-route-blue",
            "types": ["batch.*"],
        },
        {
            "metadata": {},
            "name": "videos",
            "topic": "projects/my-project/topics/relay-staging-route-videos",
            "types": ["video.generated"],
        },
    ]


def test_the_environments_are_accepted_by_the_functions(everything: Plan) -> None:
    create_receiver(_environment(everything, "receiver"))
    create_dispatcher(_environment(everything, "dispatcher"))


def test_the_rotation_schedule_sends_the_age(minimal: Plan, everything: Plan) -> None:
    def body(plan: Plan) -> object:
        job = _resources(plan)["module.registrar.google_cloud_scheduler_job.rotate[0]"]
        return json.loads(base64.b64decode(job["http_target"][0]["body"]))

    assert body(minimal) == {
        "if_older_than_seconds": 30 * 86400,
        "revocation_behavior": "revoke_previous_secrets_after_h24",
    }
    assert body(everything) == {
        "if_older_than_seconds": 7 * 86400,
        "revocation_behavior": "revoke_previous_secrets_immediately",
    }


def test_the_ledgers_time_fields_carry_no_index(minimal: Plan) -> None:
    fields = _of(minimal, "google_firestore_field").values()
    assert {field["field"]: bool(field["ttl_config"]) for field in fields} == {
        "expire_at": True,
        "lease_until": False,
        "received_at": False,
    }
    for field in fields:
        assert field["index_config"] == [{"indexes": None}]
    (index,) = _of(minimal, "google_firestore_index").values()
    assert [(field["field_path"], field["order"]) for field in index["fields"][:2]] == [
        ("shard", "ASCENDING"),
        ("received_at", "DESCENDING"),
    ]


def test_a_protected_ledger_outlives_the_destroy(minimal: Plan, everything: Plan) -> None:
    def protection(plan: Plan) -> set[tuple[str, str]]:
        databases = _of(plan, "google_firestore_database").values()
        return {(each["delete_protection_state"], each["deletion_policy"]) for each in databases}

    assert protection(minimal) == {("DELETE_PROTECTION_ENABLED", "ABANDON")}
    assert protection(everything) == {("DELETE_PROTECTION_DISABLED", "DELETE")}


def test_the_name_of_a_subscriber_ends_in_a_digest(everything: Plan) -> None:
    names = {
        address.split('"')[1]: values["name"]
        for address, values in _of(everything, "google_pubsub_subscription").items()
        if address.endswith("google_pubsub_subscription.subscription")
    }
    assert set(names) == {"audit", "lake", "notebook", "worker"}
    for key, name in names.items():
        assert re.fullmatch(rf"relay-staging-{key}-[0-9a-f]{{8}}", name)


def test_no_file_stays_open_longer_than_its_messages_deadline(everything: Plan) -> None:
    writing = [
        (each["ack_deadline_seconds"], int(each["cloud_storage_config"][0]["max_duration"][:-1]))
        for each in _of(everything, "google_pubsub_subscription").values()
        if each["cloud_storage_config"]
    ]
    assert len(writing) == 3
    assert all(seconds <= deadline for deadline, seconds in writing), writing


def test_the_key_encrypts_every_resource_that_takes_one(everything: Plan) -> None:
    key = EVERYTHING["kms_key"]
    resources = _resources(everything)
    for address, values in resources.items():
        if address.startswith("google_kms"):
            continue
        holders = ("google_pubsub_topic.", "google_cloudfunctions2_function.", "repository.images")
        if any(holder in address for holder in holders):
            assert values["kms_key_name"] == key, address
    text = json.dumps(resources)
    assert text.count(key) >= 15


def test_labels_reach_every_resource_that_takes_them(everything: Plan) -> None:
    labelled = [
        address
        for address, values in _resources(everything).items()
        if (values.get("labels") or {}).get("team") == "batch"
    ]
    assert len(labelled) == 33


def test_no_tile_of_the_dashboard_has_a_position_of_zero(minimal: Plan) -> None:
    # The API leaves zeros out of its replies, so the next plan would add them again.
    (dashboard,) = _of(minimal, "google_monitoring_dashboard").values()
    tiles = json.loads(dashboard["dashboard_json"])["mosaicLayout"]["tiles"]
    assert [tile.get(key) for tile in tiles for key in ("xPos", "yPos")].count(0) == 0
    assert {(tile.get("xPos", 0), tile.get("yPos", 0)) for tile in tiles} == {
        (x, y) for x in (0, 24) for y in (0, 16, 32)
    }


def _dependencies(graph: str) -> dict[str, set[str]]:
    """Return what each resource of `terraform graph` needs, without the addresses' keys."""
    needed: dict[str, set[str]] = {}
    for one, other in re.findall(r'^\s*"([^"]+)" -> "([^"]+)";$', graph, re.MULTILINE):
        needed.setdefault(one, set()).add(other)
    return needed


def _reaches(needed: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    todo = [start]
    while todo:
        for each in needed.get(todo.pop(), set()) - found:
            found.add(each)
            todo.append(each)
    return found


def test_no_archive_is_deleted_before_its_bucket(minimal: Plan) -> None:
    # After a failed apply the next one may upload what Terraform is about to delete.
    (archive,) = _of(minimal, "google_storage_bucket_object").values()
    assert archive["deletion_policy"] == "ABANDON"
    bucket = _resources(minimal)["module.builder.google_storage_bucket.source"]
    assert bucket["force_destroy"] is True


def test_everything_waits_until_the_services_are_active(
    workspace: Workspace, everything: Plan, minimal: Plan
) -> None:
    needed = _dependencies(workspace.require("graph"))
    planned = {re.sub(r"\[[^]]*\]", "", a) for p in (minimal, everything) for a in _resources(p)}
    early = {
        address
        for address in planned
        if "time_sleep.services" not in _reaches(needed, address) | {address}
    }
    # The first is what the wait waits for, the others are nothing at Google.
    assert early == {
        "google_project_service.services",
        "module.registrar.terraform_data.deployment",
        "module.secrets.terraform_data.keeper",
    }
    assert "google_project_service.services" in needed["time_sleep.services"]


def test_the_waits_are_longer_than_google_usually_takes(minimal: Plan, everything: Plan) -> None:
    # https://cloud.google.com/iam/docs/access-change-propagation: typically two minutes.
    for plan in (minimal, everything):
        for address, values in _of(plan, "time_sleep").items():
            seconds = 120 if address == "time_sleep.services" else 180
            assert values["create_duration"] == f"{seconds}s", address


def test_every_grant_to_the_pubsub_agent_waits_for_it(
    workspace: Workspace, everything: Plan
) -> None:
    # Those on somebody else's table or bucket take nothing else from the project.
    needed = _dependencies(workspace.require("graph"))
    agent = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    grants = {
        re.sub(r"\[[^]]*\]", "", address)
        for address, values in _resources(everything).items()
        if values.get("member") == agent
    }
    assert len(grants) >= 6
    for address in grants:
        assert "time_sleep.services" in _reaches(needed, address), address


def test_what_reaches_no_instance_is_counted_from_the_request_log(minimal: Plan) -> None:
    # run.googleapis.com/request_count leaves it out.
    metrics = _of(minimal, "google_logging_metric").values()
    filters = {each["name"]: each["filter"] for each in metrics}
    assert set(filters) == {
        f"gemini-webhooks-{name}" for name in ("converged", "forbidden", "saturated")
    }
    for name, status in (("forbidden", 403), ("saturated", 429)):
        counted = filters[f"gemini-webhooks-{name}"]
        assert "/logs/run.googleapis.com%2Frequests" in counted
        assert f"httpRequest.status = {status}" in counted
        for hop in ("receiver", "dispatcher", "registrar"):
            assert f'"gemini-webhooks-{hop}"' in counted
        alert = _resources(minimal)[f"module.monitoring.google_monitoring_alert_policy.{name}[0]"]
        watched = alert["conditions"][0]["condition_threshold"][0]["filter"]
        assert f'"logging.googleapis.com/user/gemini-webhooks-{name}"' in watched


def test_every_alert_says_what_it_cannot_see(minimal: Plan) -> None:
    policies = _of(minimal, "google_monitoring_alert_policy")
    assert len(policies) == 12
    for address, values in policies.items():
        assert "cannot see" in values["documentation"][0]["content"], address


def test_a_failure_now_and_then_sets_off_the_alerts_on_failures(everything: Plan) -> None:
    # As many as the retries of a few deliveries, beside the health checks of an hour.
    put_off, checks = 2, 6 * 3600 // 300
    (check,) = _of(everything, "google_monitoring_uptime_check_config").values()
    assert check["period"] == "300s"
    policies = _of(everything, "google_monitoring_alert_policy")
    thresholds: dict[str, float] = {}
    for name in ("errors", "unavailable", "refused", "forbidden"):
        policy = policies[f"module.monitoring.google_monitoring_alert_policy.{name}[0]"]
        (condition,) = policy["conditions"][0]["condition_threshold"]
        ways = condition["aggregations"] + condition["denominator_aggregations"]
        assert {each["alignment_period"] for each in ways} == {"3600s"}, name
        # The least for which Google heeds what becomes of missing data.
        assert condition["duration"] == "60s", name
        assert condition["evaluation_missing_data"] == "EVALUATION_MISSING_DATA_INACTIVE", name
        thresholds[name] = condition["threshold_value"]
    assert thresholds["unavailable"] < put_off / (put_off + checks)
    # A few deliveries, each tried twice; and what one message makes Pub/Sub try in an hour.
    assert thresholds["refused"] < 2 * 2
    waits = [min(10 * 2**n, 600) for n in range(12)]
    assert thresholds["forbidden"] < sum(sum(waits[: n + 1]) <= 3600 for n in range(12))


def test_every_subscription_of_ours_is_watched_whatever_a_subscriber_is_called(
    repeated: Plan,
) -> None:
    policies = _of(repeated, "google_monitoring_alert_policy")
    names = {each["name"] for each in _of(repeated, "google_pubsub_subscription").values()}
    watched: set[str] = set()
    for policy in ("dead_letters", "backlog"):
        address = f"module.monitoring.google_monitoring_alert_policy.{policy}[0]"
        (condition,) = policies[address]["conditions"][0]["condition_threshold"]
        watched |= set(re.findall(r'"(gemini-webhooks-[^"]+)"', condition["filter"]))
    assert watched == names
    assert len(names) == 4


def test_nothing_is_granted_twice(repeated: Plan, everything: Plan) -> None:
    # At Google two equal grants are one, which goes as soon as either is taken away.
    for plan in (repeated, everything):
        # What is planned of a grant is not all of it: compare those of one resource.
        grants = [
            json.dumps([re.sub(r"\[[^]]*\]$", "", address), values], sort_keys=True)
            for address, values in _resources(plan).items()
            if "_iam_member." in address
        ]
        assert len(grants) > 10
        assert [each for each, times in Counter(grants).items() if times > 1] == []
    invoking = "module.registrar.module.function.google_cloud_run_v2_service_iam_member.invokers"
    for member in (MINIMAL["deployer"], "user:other@example.com"):
        assert _resources(repeated)[f'{invoking}["{member}"]']["member"] == member
