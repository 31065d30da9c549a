"""Pub/Sub's checks of BigQuery and Cloud Storage subscriptions."""

from localcloud.controlplane.errors import ApiError, invalid
from localcloud.controlplane.schedules import seconds
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

# https://cloud.google.com/pubsub/docs/create-bigquery-subscription#assign_bigquery_service_account
_TABLE = ("bigquery.tables.get", "bigquery.tables.updateData")
# https://cloud.google.com/pubsub/docs/create-cloudstorage-subscription#assign_roles_storage
_DEFAULT_DEADLINE = 10
_BUCKET = ("storage.buckets.get", "storage.objects.create")


def check_sink(state: State, subscription: Json) -> None:
    """Refuse a subscription whose table or bucket is missing or not writable."""
    table = subscription.get("bigqueryConfig", {}).get("table")
    bucket = subscription.get("cloudStorageConfig", {}).get("bucket")
    if table:
        _check(state, subscription["bigqueryConfig"], _table(table), _TABLE)
    if bucket:
        _check_duration(state, subscription)
        _check(state, subscription["cloudStorageConfig"], f"projects/_/buckets/{bucket}", _BUCKET)


def _check_duration(state: State, subscription: Json) -> None:
    duration = subscription["cloudStorageConfig"].get("maxDuration")
    deadline = subscription.get("ackDeadlineSeconds", _DEFAULT_DEADLINE)
    strict = state.realism.storage_duration_within_deadline
    if strict and duration and seconds(duration) > deadline:
        raise invalid(
            f"The max_duration of a Cloud Storage subscription ({duration}) may not exceed the "
            f"subscription's acknowledgement deadline ({deadline}s)."
        )


def _check(state: State, config: Json, sink: str, permissions: tuple[str, ...]) -> None:
    if sink not in state.resources:
        raise ApiError("NOT_FOUND", f"{sink} does not exist.")
    account = config.get("serviceAccountEmail")
    writer = f"serviceAccount:{account}" if account else state.agent("pubsub.googleapis.com")
    missing = [name for name in permissions if not state.policies.allows(writer, name, sink)]
    if missing:
        raise ApiError(
            "FAILED_PRECONDITION",
            f"Service account {writer.partition(':')[2]} is missing permissions required to write "
            f"to {sink}: {', '.join(missing)}.",
        )


def _table(name: str) -> str:
    parts = name.replace(":", ".").split(".")
    if len(parts) != 3:
        raise invalid(f"The table {name!r} is not of the form project.dataset.table.")
    project, dataset, table = parts
    return f"projects/{project}/datasets/{dataset}/tables/{table}"
