"""Cloud Run: the services behind the functions, and who may invoke them."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.planes.resource_policy import policy_routes
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

_SERVICE = "projects/{project}/locations/{location}/services/{service}"


class CloudRun:
    """Describes the services that Cloud Functions made, and stores their policies."""

    service: ClassVar[str] = "run.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {
        "cloud_run_custom_endpoint": "run/",
        "cloud_run_v2_custom_endpoint": "run/v2/",
    }

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        return [
            *policy_routes(self._state, "run/v1/", _SERVICE, self._exists),
            *policy_routes(self._state, "run/v2/", _SERVICE, self._exists),
            Route("GET", f"run/v2/{_SERVICE}", self._get),
        ]

    async def _exists(self, name: str) -> Json:
        return self._state.resources.get(name)

    async def _get(self, call: ApiCall) -> Json:
        name = self._state.project.by_id(_SERVICE.format(**call.names))
        return {**self._state.resources.get(name), "reconciling": False}
