"""What a plan has with `jobs` and `collect` on; without them it has nothing of either."""

import json
from pathlib import Path

import pytest

from relay.collector.function import create as create_collector
from relay.collector.worker import BUDGET_SECONDS
from relay.reconciler.function import create as create_reconciler
from tests.infra.plans import EVERYTHING, Plan, environment, of, resources
from tests.infra.workspace import REPOSITORY

PREFIX = "projects/my-project/topics/relay-staging"
FUNCTION = "module.function.google_cloudfunctions2_function.function"
ROLES: dict[str, list[str]] = json.loads(Path(__file__).with_name("roles.json").read_text())


def test_without_jobs_and_collect_nothing_of_them_is_planned(minimal: Plan) -> None:
    # The pinned inventory of this plan shows that it has no other resource more either.
    modules = {address.split(".")[1].partition("[")[0] for address in resources(minimal)}
    assert modules.isdisjoint({"jobs", "reconciler", "collector"})
    assert "JOBS_DATABASE" not in environment(minimal, "dispatcher")
    assert "jobs" not in json.dumps(minimal["planned_values"]["root_module"]["child_modules"])
    outputs = minimal["planned_values"]["outputs"]
    assert {outputs[name].get("value") for name in ("jobs_database", "results_bucket")} == {None}
    assert set(outputs["service_accounts"]["value"]) == {
        *("dispatcher", "receiver", "registrar", "schedules")
    }


def test_the_reconciler_is_given_what_its_contract_names(everything: Plan) -> None:
    assert environment(everything, "reconciler[0]") == {
        "ADOPT": "batches",
        "BUDGET_SECONDS": "240",
        "FIRESTORE_DATABASE": "relay-staging",
        "GIVE_UP_HOURS": "96",
        "GOOGLE_CLOUD_PROJECT": "my-project",
        "INGRESS_TOPIC": f"{PREFIX}-ingress",
        "JOBS_DATABASE": "relay-staging-jobs",
        "LEASE_SECONDS": "300",
        "OIDC_AUDIENCE": "https://relay-staging-reconciler-123456789012.europe-west1.run.app",
        "OIDC_EMAILS": "relay-staging-jobs-cron@my-project.iam.gserviceaccount.com",
        "PER_SECOND": "5",
    }


def test_the_environments_are_accepted_by_the_functions(everything: Plan) -> None:
    api_key = {"GEMINI_API_KEY": "a-key"}
    create_reconciler(environment(everything, "reconciler[0]") | api_key)
    create_collector(environment(everything, "collector[0]") | api_key)


def test_the_collector_is_given_what_its_contract_names(everything: Plan) -> None:
    assert environment(everything, "collector[0]") == {
        "BUCKET": "my-project-relay-staging-results",
        "DEAD_LETTER_TOPIC": f"{PREFIX}-dead-letter",
        "GOOGLE_CLOUD_PROJECT": "my-project",
        "INGRESS_TOPIC": f"{PREFIX}-ingress",
        "OIDC_AUDIENCE": "https://relay-staging-collector-123456789012.europe-west1.run.app",
        "OIDC_EMAILS": "relay-staging-jobs-push@my-project.iam.gserviceaccount.com",
    }


def test_the_dispatcher_and_the_applications_are_told_of_the_jobs(everything: Plan) -> None:
    assert environment(everything, "dispatcher")["JOBS_DATABASE"] == "relay-staging-jobs"
    outputs = everything["planned_values"]["outputs"]
    assert outputs["jobs_database"]["value"] == "relay-staging-jobs"
    assert outputs["results_bucket"]["value"] == "my-project-relay-staging-results"


@pytest.mark.parametrize("hop", ["reconciler", "collector"])
def test_both_are_internal_and_mount_the_api_key(everything: Plan, hop: str) -> None:
    service = resources(everything)[f"module.{hop}[0].{FUNCTION}"]["service_config"][0]
    assert service["ingress_settings"] == "ALLOW_INTERNAL_ONLY"
    assert service["service_account_email"].startswith(f"relay-staging-{hop}@")
    (mounted,) = service["secret_environment_variables"]
    assert (mounted["key"], mounted["secret"]) == (
        "GEMINI_API_KEY",
        "relay-staging-gemini-api-key",
    )


@pytest.mark.parametrize(
    ("hop", "granted"),
    [
        (
            "reconciler",
            {
                ("roles/datastore.user", "relay-staging-jobs"),
                ("roles/datastore.viewer", "relay-staging"),
                ("roles/pubsub.publisher", f"{PREFIX}-ingress"),
                ("roles/secretmanager.secretAccessor", "relay-staging-gemini-api-key"),
            },
        ),
        (
            "collector",
            {
                ("roles/pubsub.publisher", f"{PREFIX}-dead-letter"),
                ("roles/pubsub.publisher", f"{PREFIX}-ingress"),
                ("roles/secretmanager.secretAccessor", "relay-staging-gemini-api-key"),
                ("roles/storage.objectCreator", "my-project-relay-staging-results"),
            },
        ),
        ("jobs-cron", {("roles/run.invoker", "relay-staging-reconciler")}),
        ("jobs-push", {("roles/run.invoker", "relay-staging-collector")}),
    ],
)
def test_each_identity_holds_what_the_design_names_and_no_more(
    everything: Plan, hop: str, granted: set[tuple[str, str]]
) -> None:
    member = f"serviceAccount:relay-staging-{hop}@my-project.iam.gserviceaccount.com"
    found = {
        (values["role"], _on(values))
        for values in resources(everything).values()
        if "role" in values and values["member"] == member
    }
    assert found == granted


def _on(grant: dict[str, object]) -> str:
    """Return the name of what a grant is on; of the database, where a condition says which."""
    if grant.get("condition"):
        return str(grant["condition"]).split('"')[1].rpartition("/")[2]
    named = next(grant[key] for key in ("topic", "bucket", "secret_id", "name") if grant.get(key))
    return str(named).rpartition("/secrets/")[2]


def test_to_create_results_is_not_to_read_or_replace_them() -> None:
    held = ROLES["roles/storage.objectCreator"]
    assert "storage.objects.create" in held
    assert not {f"storage.objects.{verb}" for verb in ("delete", "get", "list")} & set(held)


def test_a_client_reaches_the_jobs_database_alone(everything: Plan) -> None:
    (grant,) = [
        values
        for values in resources(everything).values()
        if values.get("member") == EVERYTHING["application"]
    ]
    assert grant["role"] == "roles/datastore.user"
    assert grant["condition"][0]["expression"] == (
        'resource.name == "projects/my-project/databases/relay-staging-jobs"'
    )


def test_the_reconcilers_times_fit_together(everything: Plan) -> None:
    planned = resources(everything)
    service = planned[f"module.reconciler[0].{FUNCTION}"]["service_config"][0]
    schedule = planned["module.reconciler[0].google_cloud_scheduler_job.reconcile"]
    variables = environment(everything, "reconciler[0]")
    budget, lease = int(variables["BUDGET_SECONDS"]), int(variables["LEASE_SECONDS"])
    # The last look may take 30 s; a run is cut off before another may take its lease over.
    assert budget + 30 < service["timeout_seconds"] < lease
    assert schedule["attempt_deadline"] == f"{lease}s"
    assert schedule["schedule"] == "*/15 * * * *"
    assert schedule["http_target"][0]["http_method"] == "POST"
    assert schedule["http_target"][0]["oidc_token"] == [
        {
            "audience": variables["OIDC_AUDIENCE"],
            "service_account_email": variables["OIDC_EMAILS"],
        }
    ]


def test_a_result_is_tried_for_two_days_and_one_attempt_may_take_minutes(
    everything: Plan,
) -> None:
    planned = resources(everything)
    service = planned[f"module.collector[0].{FUNCTION}"]["service_config"][0]
    subscription = planned["module.collector[0].google_pubsub_subscription.collect"]
    # What is set aside at the end of the budget takes a moment more.
    assert service["timeout_seconds"] > BUDGET_SECONDS + 15
    assert service["timeout_seconds"] < subscription["ack_deadline_seconds"] == 600
    # The most attempts that Pub/Sub allows would end within the day.
    assert subscription["dead_letter_policy"] == []
    assert subscription["filter"] == 'attributes.ce-type = "batch.succeeded"'
    assert subscription["topic"] == f"{PREFIX}-events"
    variables = environment(everything, "collector[0]")
    assert subscription["push_config"][0]["oidc_token"] == [
        {
            "audience": variables["OIDC_AUDIENCE"],
            "service_account_email": variables["OIDC_EMAILS"],
        }
    ]


def test_the_jobs_time_fields_carry_no_index_and_ended_jobs_expire(everything: Plan) -> None:
    fields = {
        values["field"]: values
        for address, values in of(everything, "google_firestore_field").items()
        if address.startswith("module.jobs[0].")
    }
    assert [name for name, values in fields.items() if values["ttl_config"]] == ["expire_at"]
    assert {name for name in fields if name.endswith("_at")} == {
        *("check_at", "created_at", "ended_at", "expire_at", "overdue_at", "started_at")
    }
    assert {"announced", "deadline"} <= set(fields)
    assert all(values["index_config"] == [{"indexes": None}] for values in fields.values())


def test_each_shards_due_and_newest_jobs_are_indexed(everything: Plan) -> None:
    indexes = {
        address.rpartition(".")[2]: [(f["field_path"], f["order"]) for f in values["fields"]]
        for address, values in of(everything, "google_firestore_index").items()
        if address.startswith("module.jobs[0].")
    }
    assert {name: fields[:2] for name, fields in indexes.items()} == {
        "due": [("shard", "ASCENDING"), ("check_at", "ASCENDING")],
        "newest_first": [("shard", "ASCENDING"), ("created_at", "DESCENDING")],
    }


def test_there_is_an_alert_for_each_thing_that_goes_wrong_with_jobs(everything: Plan) -> None:
    policies = {
        address: values
        for address, values in of(everything, "google_monitoring_alert_policy").items()
        if address.startswith(("module.reconciler[0].", "module.collector[0]."))
    }
    assert {values["display_name"] for values in policies.values()} == {
        "relay-staging: a job is lost",
        "relay-staging: a job is overdue",
        "relay-staging: the collector's API key is refused",
        "relay-staging: the reconciler is silent",
        "relay-staging: the reconciler's API key is refused",
        "relay-staging: webhooks did not come",
    }
    for address, values in policies.items():
        assert "cannot see" in values["documentation"][0]["content"], address
    silent = policies["module.reconciler[0].google_monitoring_alert_policy.silent[0]"]
    (absent,) = silent["conditions"][0]["condition_absent"]
    assert absent["duration"] == "3600s"
    assert '"relay-staging-reconciler"' in absent["filter"]


def test_an_alert_matches_what_the_reconciler_logs(everything: Plan) -> None:
    def matched(name: str) -> str:
        address = f'module.reconciler[0].google_monitoring_alert_policy.logged["{name}"]'
        policy = resources(everything)[address]
        found: str = policy["conditions"][0]["condition_matched_log"][0]["filter"]
        return found.rpartition('"relay-staging-reconciler" AND ')[2]

    announced = 'jsonPayload.message = "event announced"'
    assert matched("lost") == f'{announced} AND jsonPayload.type = "relay.job.lost"'
    assert matched("overdue") == f'{announced} AND jsonPayload.type = "relay.job.overdue"'
    assert matched("key_refused") == 'jsonPayload.message = "key refused"'
    # Those that the webhook is subscribed to: of others Gemini tells nobody.
    assert matched("announced") == (
        f'{announced} AND jsonPayload.type = ("batch.failed" OR "batch.succeeded" OR '
        '"interaction.completed" OR "video.generated")'
    )
    for hop, line in (
        ("reconciler", "event announced"),
        ("reconciler", "key refused"),
        ("collector", "key refused"),
    ):
        code = (REPOSITORY / "functions/relay" / hop).glob("*.py")
        assert f'", "{line}", ' in "".join(path.read_text("utf-8") for path in code), (hop, line)


def test_the_general_alerts_watch_the_further_functions_too(everything: Plan) -> None:
    planned = resources(everything)
    for key in ("forbidden", "saturated"):
        metric = planned[f'module.monitoring.google_logging_metric.unreached["{key}"]']
        for hop in ("reconciler", "collector"):
            assert f'"relay-staging-{hop}"' in metric["filter"]
    backlog = planned["module.monitoring.google_monitoring_alert_policy.backlog[0]"]
    watched = backlog["conditions"][0]["condition_threshold"][0]["filter"]
    assert '"relay-staging-collect-' in watched
