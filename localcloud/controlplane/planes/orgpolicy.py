"""Organisation Policy: which constraints hold for the project."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json


class OrgPolicy:
    """Tells the effective policies: those in `state.org_policies`, by constraint, and no others.

    https://cloud.google.com/resource-manager/docs/reference/orgpolicy/rest/v2/projects.policies/getEffectivePolicy
    """

    service: ClassVar[str] = "orgpolicy.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"org_policy_custom_endpoint": "orgpolicy/v2/"}

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        name = "orgpolicy/v2/projects/{project}/policies/{constraint}"
        return [Route("GET", f"{name}:getEffectivePolicy", self._get)]

    async def _get(self, call: ApiCall) -> Json:
        constraint = call.names["constraint"]
        name = f"projects/{self._state.project.number}/policies/{constraint}"
        rules = self._state.org_policies.get(constraint, [{"allowAll": True}])
        return {"name": name, "spec": {"rules": list(rules)}}
