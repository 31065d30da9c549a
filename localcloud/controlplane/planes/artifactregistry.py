"""Artifact Registry: repositories and their policies, without images."""

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.encryption import check_key
from localcloud.controlplane.errors import invalid
from localcloud.controlplane.operations import Operations
from localcloud.controlplane.planes.collections import Collection
from localcloud.controlplane.planes.resource_policy import policy_routes
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

_PREFIX = "artifactregistry/v1/"
_LOCATION = "projects/{project}/locations/{location}"
_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


class ArtifactRegistry:
    """Stores repositories."""

    service: ClassVar[str] = "artifactregistry.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"artifact_registry_custom_endpoint": _PREFIX}

    def __init__(self, state: State) -> None:
        self._state = state
        self._operations = Operations(state, _PREFIX, f"{_LOCATION}/")

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        repositories = Collection(
            self._state,
            _PREFIX,
            _LOCATION,
            "repositories",
            _repository_id,
            self._repository,
            wrap_new=lambda call, value: self._operations.done(call.names, value),
        )
        name = f"{_LOCATION}/repositories/{{repository}}"
        policies = policy_routes(self._state, _PREFIX, name, self._exists)
        return [*policies, *repositories.routes(), *self._operations.routes()]

    async def _exists(self, name: str) -> Json:
        return self._state.resources.get(name)

    def _repository(self, _call: ApiCall, repository: Json) -> Json:
        if repository.get("format") not in {"DOCKER", "GENERIC", "PYTHON"}:
            raise invalid(f"The format {repository.get('format')!r} is not one of a repository.")
        agent = self._state.agent(self.service)
        check_key(self._state, repository.get("kmsKeyName"), agent)
        now = self._state.timestamp()
        return {
            "mode": "STANDARD_REPOSITORY",
            "createTime": now,
            "sizeBytes": "0",
            **repository,
            "updateTime": now,
        }


def _repository_id(call: ApiCall) -> str:
    found = call.query.get("repository_id") or call.query.get("repositoryId", "")
    if not _ID.fullmatch(found):
        raise invalid(f"The repository id {found!r} is invalid.")
    return found
