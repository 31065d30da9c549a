"""Resource Manager: the project and its policy; Cloud Billing: its account."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.planes.resource_policy import policy_routes
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json


class CloudBilling:
    """Describes the project's billing account."""

    service: ClassVar[str] = "cloudbilling.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {
        "billing_custom_endpoint": "cloudbilling/v1/",
        "cloud_billing_custom_endpoint": "cloudbilling/v1/",
        "core_billing_custom_endpoint": "cloudbilling/v1/",
    }

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        return [Route("GET", "cloudbilling/v1/projects/{project}/billingInfo", self._get)]

    async def _get(self, _call: ApiCall) -> Json:
        project = self._state.project.id
        return {
            "name": f"projects/{project}/billingInfo",
            "projectId": project,
            "billingAccountName": "billingAccounts/000000-000000-000000" * self._state.billed,
            "billingEnabled": self._state.billed,
        }


class ResourceManager:
    """Describes the one project, and stores its policy."""

    service: ClassVar[str] = "cloudresourcemanager.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {
        "cloud_resource_manager_custom_endpoint": "cloudresourcemanager/v1/",
        "resource_manager_custom_endpoint": "cloudresourcemanager/v1/",
        "resource_manager3_custom_endpoint": "cloudresourcemanager/v3/",
        "resource_manager_v3_custom_endpoint": "cloudresourcemanager/v3/",
    }

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        name = "projects/{project}"
        return [
            Route("GET", f"cloudresourcemanager/v1/{name}", self._get_v1),
            Route("GET", f"cloudresourcemanager/v3/{name}", self._get_v3),
            *policy_routes(self._state, "cloudresourcemanager/v1/", name, self._exists),
            *policy_routes(self._state, "cloudresourcemanager/v3/", name, self._exists),
        ]

    async def _exists(self, _name: str) -> None:
        # The router has refused every other project.
        return

    async def _get_v1(self, _call: ApiCall) -> Json:
        project = self._state.project
        return {
            "projectId": project.id,
            "projectNumber": project.number,
            "name": project.id,
            "lifecycleState": "ACTIVE",
        }

    async def _get_v3(self, _call: ApiCall) -> Json:
        project = self._state.project
        return {
            "name": f"projects/{project.number}",
            "projectId": project.id,
            "displayName": project.id,
            "state": "ACTIVE",
        }
