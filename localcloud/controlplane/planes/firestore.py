"""Firestore's admin API: databases, their fields' policies and composite indexes."""

import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.encryption import check_key
from localcloud.controlplane.errors import ApiError, invalid
from localcloud.controlplane.operations import Operations
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

_DATABASE_ID = re.compile(r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]")
_LOCATION = re.compile(r"nam5|nam7|eur3|[a-z]+-[a-z]+\d")
_PREFIX = "firestore/v1/"
_DATABASE = "projects/{project}/databases/{database}"
_GROUP = f"{_DATABASE}/collectionGroups/{{group}}"


class FirestoreAdmin:
    """Stores databases, field configurations and indexes; `drop` empties a deleted database.

    The name of a deleted database is free only after some time.
    """

    service: ClassVar[str] = "firestore.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"firestore_custom_endpoint": _PREFIX}

    def __init__(self, state: State, drop: Callable[[str], None]) -> None:
        self._state = state
        self._drop = drop
        self._operations = Operations(state, _PREFIX, f"{_DATABASE}/")
        self._visible_from: dict[str, float] = {}
        self._free_from: dict[str, float] = {}

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        return [
            Route("POST", f"{_PREFIX}projects/{{project}}/databases", self._create),
            Route("GET", f"{_PREFIX}projects/{{project}}/databases", self._list),
            Route("GET", _PREFIX + _DATABASE, self._get),
            Route("PATCH", _PREFIX + _DATABASE, self._patch),
            Route("DELETE", _PREFIX + _DATABASE, self._delete),
            Route("GET", f"{_PREFIX}{_GROUP}/fields/{{field}}", self._get_field),
            Route("PATCH", f"{_PREFIX}{_GROUP}/fields/{{field}}", self._patch_field),
            Route("POST", f"{_PREFIX}{_GROUP}/indexes", self._create_index),
            Route("GET", f"{_PREFIX}{_GROUP}/indexes", self._list_indexes),
            Route("GET", f"{_PREFIX}{_GROUP}/indexes/{{index}}", self._get_index),
            Route("DELETE", f"{_PREFIX}{_GROUP}/indexes/{{index}}", self._delete_index),
            *self._operations.routes(),
        ]

    async def _create(self, call: ApiCall) -> Json:
        database = call.query.get("databaseId", "")
        given = call.body
        if not _DATABASE_ID.fullmatch(database):
            raise invalid(f"Invalid database id: {database}")
        if not _LOCATION.fullmatch(given.get("locationId", "")):
            raise invalid(f"Invalid location id: {given.get('locationId')}")
        agent = self._state.agent(self.service)
        check_key(self._state, given.get("cmekConfig", {}).get("kmsKeyName"), agent)
        name = f"{self._state.root}/databases/{database}"
        self._check_free(database, name)
        now = self._state.timestamp()
        created = self._state.resources.create(
            name,
            {
                "concurrencyMode": "PESSIMISTIC",
                "appEngineIntegrationMode": "DISABLED",
                "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_DISABLED",
                "deleteProtectionState": "DELETE_PROTECTION_DISABLED",
                "databaseEdition": "STANDARD",
                "versionRetentionPeriod": "3600s",
                **given,
                "name": name,
                "uid": str(uuid.uuid4()),
                "createTime": now,
                "updateTime": now,
                "earliestVersionTime": now,
                "etag": "IN+Nj+L9qYoDMM7Vr/Ds1YkD",
            },
        )
        if database != "(default)":
            delay = self._state.realism.database_visibility_seconds
            self._visible_from[name] = self._state.delays.time() + delay
        return self._operations.done({**call.names, "database": database}, created)

    def _check_free(self, database: str, name: str) -> None:
        left = self._free_from.get(name, -math.inf) - self._state.delays.time()
        if left > 0:
            raise ApiError(
                "FAILED_PRECONDITION",
                f"Database ID '{database}' is not available in project '{self._state.project.id}'. "
                f"Please retry in {math.ceil(left)} seconds.",
            )

    def _name(self, call: ApiCall) -> str:
        return self._state.project.by_id(_DATABASE.format(**call.names))

    def _database(self, call: ApiCall) -> Json:
        name = self._name(call)
        if name not in self._state.resources:
            raise self._missing(call)
        return self._state.resources.get(name)

    @staticmethod
    def _missing(call: ApiCall) -> ApiError:
        return ApiError(
            "NOT_FOUND",
            f"Project '{call.names['project']}' or database '{call.names['database']}' does "
            "not exist.",
        )

    async def _list(self, _call: ApiCall) -> Json:
        return {"databases": self._state.resources.under(f"{self._state.root}/databases/")}

    async def _get(self, call: ApiCall) -> Json:
        if self._state.delays.time() < self._visible_from.get(self._name(call), -math.inf):
            raise self._missing(call)
        return self._database(call)

    async def _patch(self, call: ApiCall) -> Json:
        self._database(call)
        return self._operations.done(
            call.names, self._state.resources.patch(self._name(call), call.body, call.mask())
        )

    async def _delete(self, call: ApiCall) -> Json:
        database = self._database(call)
        if database["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED":
            raise ApiError(
                "FAILED_PRECONDITION",
                "Delete protection is enabled for this database. To delete it, you must first "
                "disable delete protection.",
            )
        name = self._name(call)
        for resource in [held for held in self._state.resources if held.startswith(f"{name}/")]:
            self._state.resources.delete(resource)
        self._drop(name)
        delay = self._state.realism.database_name_seconds
        self._free_from[name] = self._state.delays.time() + delay
        return self._operations.done(call.names, self._state.resources.delete(name))

    def _field(self, call: ApiCall) -> str:
        group = self._state.project.by_id(_GROUP.format(**call.names))
        return f"{group}/fields/{call.names['field']}"

    async def _get_field(self, call: ApiCall) -> Json:
        self._database(call)
        return self._describe_field(self._field(call))

    async def _patch_field(self, call: ApiCall) -> Json:
        self._database(call)
        name = self._field(call)
        if name not in self._state.resources:
            self._state.resources.put(name, {"name": name})
        mask = call.mask() or [key for key in call.body if key != "name"]
        changed = self._state.resources.patch(name, call.body, mask)
        ttl = (
            {"ttlConfig": {**changed["ttlConfig"], "state": "ACTIVE"}}
            if "ttlConfig" in changed
            else {}
        )
        self._state.resources.put(name, {**changed, **ttl})
        if not changed.keys() - {"name"}:
            self._state.resources.delete(name)
        return self._operations.done(call.names, self._describe_field(name))

    def _describe_field(self, name: str) -> Json:
        held = self._state.resources.get(name) if name in self._state.resources else {}
        if "indexConfig" in held:
            indexes = [_complete(index) for index in held["indexConfig"].get("indexes", [])]
            return {**held, "indexConfig": {"indexes": indexes}}
        ancestor = re.sub(r"/collectionGroups/.*", "/collectionGroups/__default__/fields/*", name)
        inherited = {
            "usesAncestorConfig": True,
            "ancestorField": ancestor,
            "indexes": [
                _complete({"fields": [{"fieldPath": name.rpartition("/")[2], **order}]})
                for order in _AUTOMATIC
            ],
        }
        return {**held, "name": name, "indexConfig": inherited}

    async def _create_index(self, call: ApiCall) -> Json:
        self._database(call)
        given = call.body
        if len(given.get("fields", [])) < 2:
            raise ApiError(
                "INVALID_ARGUMENT",
                "this index is not necessary, configure using single field index controls",
            )
        group = self._state.project.by_id(_GROUP.format(**call.names))
        if any(index["fields"] == given["fields"] for index in self._indexes(group)):
            raise ApiError("ALREADY_EXISTS", "index already exists")
        name = f"{group}/indexes/{uuid.uuid4().hex[:12].upper()}"
        index = {"apiScope": "ANY_API", "density": "SPARSE_ALL", **given}
        created = self._state.resources.create(name, {**index, "name": name, "state": "READY"})
        return self._operations.done(call.names, created, {"index": name, "state": "SUCCESSFUL"})

    def _indexes(self, group: str) -> list[Json]:
        return self._state.resources.under(f"{group}/indexes/")

    async def _list_indexes(self, call: ApiCall) -> Json:
        self._database(call)
        return {"indexes": self._indexes(self._state.project.by_id(_GROUP.format(**call.names)))}

    def _index(self, call: ApiCall) -> str:
        group = self._state.project.by_id(_GROUP.format(**call.names))
        return f"{group}/indexes/{call.names['index']}"

    async def _get_index(self, call: ApiCall) -> Json:
        return self._state.resources.get(self._index(call))

    async def _delete_index(self, call: ApiCall) -> Json:
        self._state.resources.delete(self._index(call))
        return {}


_AUTOMATIC: Sequence[Json] = (
    {"order": "ASCENDING"},
    {"order": "DESCENDING"},
    {"arrayConfig": "CONTAINS"},
)


def _complete(index: Json) -> Json:
    return {"queryScope": "COLLECTION", **index, "state": "READY"}
