"""Cloud KMS: key rings, keys and their policies; nothing is encrypted with them."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.planes.collections import Collection
from localcloud.controlplane.planes.resource_policy import policy_routes
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

_PREFIX = "kms/v1/"
_LOCATION = "projects/{project}/locations/{location}"
_RING = f"{_LOCATION}/keyRings/{{ring}}"


class Kms:
    """Stores keys."""

    service: ClassVar[str] = "cloudkms.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"kms_custom_endpoint": _PREFIX}

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        rings = Collection(
            self._state, _PREFIX, _LOCATION, "keyRings", lambda c: c.query["keyRingId"], _keep
        )
        keys = Collection(
            self._state, _PREFIX, _RING, "cryptoKeys", lambda c: c.query["cryptoKeyId"], _keep
        )
        name = f"{_RING}/cryptoKeys/{{key}}"
        policies = policy_routes(self._state, _PREFIX, name, self._exists)
        return [*policies, *rings.routes(), *keys.routes()]

    async def _exists(self, name: str) -> Json:
        return self._state.resources.get(name)


def _keep(_call: ApiCall, value: Json) -> Json:
    return value
