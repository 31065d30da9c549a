"""BigQuery: datasets and tables that Pub/Sub may write to, and their policies; no rows."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.planes.resource_policy import policy_routes
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

_PREFIX = "bigquery/v2/"
_DATASET = "projects/{project}/datasets/{dataset}"
_TABLE = f"{_DATASET}/tables/{{table}}"


class BigQuery:
    """Stores datasets and tables; a dataset's access list grants nothing."""

    service: ClassVar[str] = "bigquery.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"big_query_custom_endpoint": _PREFIX}

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        return [
            *policy_routes(self._state, _PREFIX, _TABLE, self._exists),
            Route("POST", f"{_PREFIX}projects/{{project}}/datasets", self._create_dataset),
            Route("GET", _PREFIX + _DATASET, self._get_dataset),
            Route("PATCH", _PREFIX + _DATASET, self._patch_dataset),
            Route("PUT", _PREFIX + _DATASET, self._patch_dataset),
            Route("DELETE", _PREFIX + _DATASET, self._delete_dataset),
            Route("POST", f"{_PREFIX}{_DATASET}/tables", self._create_table),
            Route("GET", _PREFIX + _TABLE, self._get_table),
            Route("PATCH", _PREFIX + _TABLE, self._patch_table),
            Route("PUT", _PREFIX + _TABLE, self._patch_table),
            Route("DELETE", _PREFIX + _TABLE, self._delete_table),
        ]

    async def _exists(self, name: str) -> Json:
        return self._state.resources.get(name)

    def _dataset(self, call: ApiCall) -> str:
        return self._state.project.by_id(_DATASET.format(**call.names))

    def _table(self, call: ApiCall) -> str:
        return self._state.project.by_id(_TABLE.format(**call.names))

    async def _create_dataset(self, call: ApiCall) -> Json:
        given = call.body
        dataset = given["datasetReference"]["datasetId"]
        name = f"{self._state.root}/datasets/{dataset}"
        owner = {"role": "OWNER", "userByEmail": self._state.deployer.partition(":")[2]}
        kind = {"kind": "bigquery#dataset", "access": [owner], **given}
        reference = {"projectId": self._state.project.id, "datasetId": dataset}
        return self._state.resources.create(name, {**kind, "datasetReference": reference})

    async def _get_dataset(self, call: ApiCall) -> Json:
        return self._state.resources.get(self._dataset(call))

    async def _patch_dataset(self, call: ApiCall) -> Json:
        return self._state.resources.patch(self._dataset(call), call.body)

    async def _delete_dataset(self, call: ApiCall) -> Json:
        self._state.resources.delete(self._dataset(call))
        return {}

    async def _create_table(self, call: ApiCall) -> Json:
        dataset = self._dataset(call)
        self._state.resources.get(dataset)
        given = call.body
        table = given["tableReference"]["tableId"]
        return self._state.resources.create(
            f"{dataset}/tables/{table}", {"kind": "bigquery#table", "type": "TABLE", **given}
        )

    async def _get_table(self, call: ApiCall) -> Json:
        return self._state.resources.get(self._table(call))

    async def _patch_table(self, call: ApiCall) -> Json:
        return self._state.resources.patch(self._table(call), call.body)

    async def _delete_table(self, call: ApiCall) -> Json:
        self._state.resources.delete(self._table(call))
        self._state.policies.delete(self._table(call))
        return {}
