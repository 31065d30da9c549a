"""The roles that the deployer needs: `docs/deploy.md` lists enough for all that a plan creates."""

import re
from collections.abc import Iterator

import pytest

from tests.infra.deployer import ELSEWHERE, ROLES
from tests.infra.test_plan import INVENTORY
from tests.infra.test_plan import ROLES as GOOGLES

LISTED = ROLES | ELSEWHERE


def each(resource: str, *verbs: str) -> set[str]:
    return {f"{resource}.{verb}" for verb in verbs}


WRITING = ("create", "delete", "get", "update")
POLICY = ("getIamPolicy", "setIamPolicy")

# https://cloud.google.com/iam/docs/permissions-reference, by what the provider calls.
NEEDED: dict[str, set[str]] = {
    "google_artifact_registry_repository": each("artifactregistry.repositories", *WRITING),
    "google_artifact_registry_repository_iam_member": each(
        "artifactregistry.repositories", *POLICY
    ),
    "google_bigquery_table_iam_member": each("bigquery.tables", *POLICY),
    "google_cloud_run_v2_service_iam_member": each("run.services", *POLICY),
    "google_cloud_scheduler_job": {
        *each("cloudscheduler.jobs", *WRITING),
        "iam.serviceAccounts.actAs",
    },
    "google_cloudfunctions2_function": {
        *each("cloudfunctions.functions", *WRITING),
        "cloudfunctions.operations.get",
        "iam.serviceAccounts.actAs",
    },
    "google_firestore_database": each(
        "datastore.databases", "create", "delete", "getMetadata", "update"
    ),
    "google_kms_crypto_key_iam_member": each("cloudkms.cryptoKeys", *POLICY),
    "google_logging_metric": each("logging.logMetrics", *WRITING),
    "google_monitoring_alert_policy": {
        *each("monitoring.alertPolicies", *WRITING),
        # For an alert on a log entry.
        *each("logging.notificationRules", "create", "delete", "update"),
    },
    "google_monitoring_dashboard": each("monitoring.dashboards", *WRITING),
    "google_monitoring_uptime_check_config": each("monitoring.uptimeCheckConfigs", *WRITING),
    "google_monitoring_notification_channel": each("monitoring.notificationChannels", *WRITING),
    "google_project_iam_custom_role": each("iam.roles", *WRITING),
    "google_project_iam_member": each("resourcemanager.projects", *POLICY),
    "google_project_service": {
        *each("serviceusage.services", "enable", "get", "list"),
        # Enabling is an operation, whose end is asked for.
        "serviceusage.operations.get",
    },
    "google_pubsub_subscription": {
        *each("pubsub.subscriptions", *WRITING),
        "pubsub.topics.attachSubscription",
    },
    "google_pubsub_subscription_iam_member": each("pubsub.subscriptions", *POLICY),
    "google_pubsub_topic": each("pubsub.topics", *WRITING),
    "google_pubsub_topic_iam_member": each("pubsub.topics", *POLICY),
    "google_secret_manager_secret": each("secretmanager.secrets", *WRITING),
    "google_secret_manager_secret_iam_member": each("secretmanager.secrets", *POLICY),
    "google_secret_manager_secret_version": each(
        "secretmanager.versions", "add", "destroy", "enable", "get"
    ),
    "google_service_account": each("iam.serviceAccounts", *WRITING),
    "google_service_account_iam_member": each("iam.serviceAccounts", *POLICY),
    "google_storage_bucket": each("storage.buckets", *WRITING),
    "google_storage_bucket_iam_member": each("storage.buckets", *POLICY),
    "google_storage_bucket_object": each("storage.objects", "create", "delete", "get"),
}
# Google's list of their roles, as it is kept here, leaves their permissions out.
UNLISTED = {"google_firestore_field", "google_firestore_index"}


def kinds() -> Iterator[str]:
    for name in ("everything", "minimal"):
        yield from re.findall(r"(google_\w+)\.", (INVENTORY / f"{name}.txt").read_text("utf-8"))


def missing(roles: frozenset[str]) -> set[str]:
    held = {permission for role in roles for permission in GOOGLES[role]}
    return {each for kind in set(kinds()) - UNLISTED for each in NEEDED[kind] - held}


def test_the_listed_roles_hold_every_permission_that_a_plan_needs() -> None:
    assert missing(LISTED) == set()


@pytest.mark.parametrize("role", sorted(LISTED))
def test_without_any_listed_role_a_permission_is_missing(role: str) -> None:
    assert missing(LISTED - {role})
