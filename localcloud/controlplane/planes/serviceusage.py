"""Service Usage: which APIs the project has enabled."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from localcloud.controlplane.agents import AGENTS
from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.errors import invalid, not_found
from localcloud.controlplane.operations import Operations
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json


class ServiceUsage:
    """Enables and disables APIs. A service's agent stays when its API is disabled."""

    service: ClassVar[str] = "serviceusage.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"service_usage_custom_endpoint": "serviceusage/v1/"}

    def __init__(self, state: State) -> None:
        self._state = state
        self._operations = Operations(state, "serviceusage/v1/")

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        services = "serviceusage/v1/projects/{project}/services"
        return [
            Route("POST", f"{services}:batchEnable", self._batch_enable),
            Route("POST", f"{services}/{{name}}:enable", self._enable),
            Route("POST", f"{services}/{{name}}:disable", self._disable),
            Route(
                "POST",
                f"{services.replace('v1', 'v1beta1')}/{{name}}:generateServiceIdentity",
                self._generate_identity,
            ),
            Route(
                "GET",
                f"{services.replace('v1', 'v1beta1')}/{{name}}/consumerQuotaMetrics/{{metric*}}",
                self._quota,
            ),
            Route("GET", f"{services}:batchGet", self._list),
            Route("GET", services, self._list),
            Route("GET", f"{services}/{{name}}", self._get),
            *self._operations.routes(),
        ]

    async def _enable(self, call: ApiCall) -> Json:
        self._switch_on([call.names["name"]])
        return self._operations.done(call.names, {"service": self._describe(call.names["name"])})

    async def _batch_enable(self, call: ApiCall) -> Json:
        names = call.body.get("serviceIds", [])
        self._switch_on(names)
        return self._operations.done(
            call.names, {"services": [self._describe(name) for name in names]}
        )

    async def _disable(self, call: ApiCall) -> Json:
        name = f"{self._state.root}/services/{call.names['name']}"
        if name in self._state.resources:
            self._state.resources.delete(name)
        return self._operations.done(call.names, {"service": self._describe(call.names["name"])})

    async def _generate_identity(self, call: ApiCall) -> Json:
        """Make a service's agent at once, as `gcloud beta services identity create` does."""
        service = call.names["name"]
        if service not in AGENTS:
            raise invalid(f"Service '{service}' has no service agent.")
        self._state.create_agents(service)
        return self._operations.done(
            call.names, {"email": self._state.agent(service).partition(":")[2]}
        )

    async def _quota(self, call: ApiCall) -> Json:
        """Tell a quota; that of CPUs alone is imitated, in thousandths of one.

        https://cloud.google.com/service-usage/docs/reference/rest/v1beta1/services.consumerQuotaMetrics/get
        """
        metric, cpus = call.names["metric"], self._state.realism.cpu_quota
        if metric != "run.googleapis.com/cpu_allocation":
            raise not_found(metric)
        limit = str(-1 if cpus is None else int(cpus * 1000))
        bucket = {"effectiveLimit": limit, "defaultLimit": limit}
        per_region = {"metric": metric, "unit": "1/{project}/{region}", "quotaBuckets": [bucket]}
        return {"metric": metric, "consumerQuotaLimits": [per_region]}

    async def _get(self, call: ApiCall) -> Json:
        return self._describe(call.names["name"])

    async def _list(self, _call: ApiCall) -> Json:
        enabled = self._state.resources.under(f"{self._state.root}/services/")
        return {"services": [self._describe(item["name"].rpartition("/")[2]) for item in enabled]}

    def _switch_on(self, names: Sequence[str]) -> None:
        for name in names:
            if not name.endswith(".googleapis.com"):
                raise invalid(f"Service '{name}' not found or permission denied.")
            self._state.enable(name)

    def _describe(self, name: str) -> Json:
        parent = f"projects/{self._state.project.number}"
        return {
            "name": f"{parent}/services/{name}",
            "parent": parent,
            "config": {"name": name},
            "state": "ENABLED" if self._state.is_enabled(name) else "DISABLED",
        }
