"""Cloud Logging's configuration: log-based metrics, stored and not counted."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.errors import invalid
from localcloud.controlplane.planes.collections import Collection
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json


class Logging:
    """Stores metrics by the name that they are given."""

    service: ClassVar[str] = "logging.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"logging_custom_endpoint": "logging/v2/"}

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        return Collection(
            self._state,
            "logging/v2/",
            "projects/{project}",
            "metrics",
            lambda call: str(call.body.get("name", "")),
            _metric,
        ).routes()


def _metric(_call: ApiCall, metric: Json) -> Json:
    if not metric.get("filter"):
        raise invalid("A log-based metric needs a filter.")
    return {**metric, "name": metric["name"].rpartition("/")[2]}
