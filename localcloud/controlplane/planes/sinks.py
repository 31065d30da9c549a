"""What Pub/Sub checks before it writes into BigQuery or Cloud Storage by itself."""

from localcloud.controlplane.errors import ApiError, invalid
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

# https://cloud.google.com/pubsub/docs/create-bigquery-subscription#assign_bigquery_service_account
_TABLE = ("bigquery.tables.get", "bigquery.tables.updateData")
# https://cloud.google.com/pubsub/docs/create-cloudstorage-subscription#assign_roles_storage
_BUCKET = ("storage.buckets.get", "storage.objects.create")


def check_sink(state: State, subscription: Json) -> None:
    """Refuse a subscription whose table or bucket is missing, or may not be written to."""
    table = subscription.get("bigqueryConfig", {}).get("table")
    bucket = subscription.get("cloudStorageConfig", {}).get("bucket")
    if table:
        _check(state, subscription["bigqueryConfig"], _table(table), _TABLE)
    if bucket:
        _check(state, subscription["cloudStorageConfig"], f"projects/_/buckets/{bucket}", _BUCKET)


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
