"""Monitoring: alert policies, channels, uptime checks and dashboards, stored and not evaluated."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.errors import invalid
from localcloud.controlplane.planes.collections import Collection
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

_CONDITIONS = (
    "conditionThreshold",
    "conditionAbsent",
    "conditionMatchedLog",
    "conditionMonitoringQueryLanguage",
    "conditionPrometheusQueryLanguage",
    "conditionSql",
)
# https://cloud.google.com/monitoring/api/v3/filters: terms joined by AND, OR, NOT.
_TERM = r'[\w.]+(?:"[^"]*")?\s*(?:=|!=|:|>|<|>=|<=)\s*(?:"(?:[^"\\]|\\.)*"|[\w.]+\([^()]*\)|[\w.]+)'
_FILTER = re.compile(
    rf"\s*\(*\s*(?:NOT\s+)?\(*{_TERM}\)*(?:\s+(?:(?:AND|OR)\s+)?(?:NOT\s+)?\(*\s*{_TERM}\s*\)*)*\s*"
)


class Monitoring:
    """Stores what is given under ids of its own, as Google does."""

    service: ClassVar[str] = "monitoring.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"monitoring_custom_endpoint": "monitoring/"}

    def __init__(self, state: State) -> None:
        self._state = state
        self._ids = itertools.count(10_000_000_000_000_001)

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        project = "projects/{project}"
        state = self._state
        return [
            *Collection(
                state, "monitoring/v3/", project, "alertPolicies", self._id, self._alert
            ).routes(),
            *Collection(
                state, "monitoring/v3/", project, "notificationChannels", self._id, _keep
            ).routes(),
            *Collection(
                state, "monitoring/v3/", project, "uptimeCheckConfigs", self._id, _keep
            ).routes(),
            *Collection(
                state, "monitoring/v1/", project, "dashboards", self._id, self._dashboard
            ).routes(),
        ]

    def _id(self, _call: ApiCall) -> str:
        return str(next(self._ids))

    def _alert(self, call: ApiCall, policy: Json) -> Json:
        conditions = policy.get("conditions", [])
        if not conditions or "combiner" not in policy or "displayName" not in policy:
            raise invalid("Field alert_policy needs conditions, a combiner and a display_name.")
        for condition in conditions:
            _check_condition(condition)
            condition.setdefault("name", f"{policy['name']}/conditions/{self._id(call)}")
        self._check_log_match(call, conditions, known="creationRecord" in policy)
        for channel in policy.get("notificationChannels", []):
            if self._state.project.by_id(channel) not in self._state.resources:
                raise invalid(f"Notification channel {channel} was not found.")
        now = self._state.timestamp()
        record = {"mutateTime": now, "mutatedBy": self._state.deployer.partition(":")[2]}
        return {
            "enabled": True,
            **policy,
            "creationRecord": policy.get("creationRecord", record),
            "mutationRecord": record,
        }

    def _check_log_match(self, call: ApiCall, conditions: Sequence[Json], *, known: bool) -> None:
        if not any("conditionMatchedLog" in condition for condition in conditions):
            return
        if len(conditions) > 1:
            raise invalid("Alert policies with a log match can only have a single condition.")
        permission = f"logging.notificationRules.{'update' if known else 'create'}"
        self._state.check_caller(call.identity, permission, self._state.root)

    def _dashboard(self, _call: ApiCall, dashboard: Json) -> Json:
        if "displayName" not in dashboard:
            raise invalid("Field dashboard.display_name is required.")
        if self._state.realism.dashboards_omit_zeros:
            dashboard = _without_zeros(dashboard)
        return {**dashboard, "etag": dashboard.get("etag", "1") + "1"}


def _without_zeros(dashboard: Json) -> Json:
    """Return a dashboard as the service stores it: a tile at the edge has no position there."""
    layout = dashboard.get("mosaicLayout", {})
    tiles = [
        {key: value for key, value in tile.items() if key not in {"xPos", "yPos"} or value != 0}
        for tile in layout.get("tiles", [])
    ]
    return {**dashboard, "mosaicLayout": {**layout, "tiles": tiles}} if tiles else dashboard


def _keep(_call: ApiCall, value: Json) -> Json:
    return value


def _check_condition(condition: Json) -> None:
    kinds = [kind for kind in _CONDITIONS if kind in condition]
    if len(kinds) != 1 or "displayName" not in condition:
        raise invalid("Each condition needs a display_name and exactly one kind of condition.")
    threshold = condition.get("conditionThreshold") or condition.get("conditionAbsent")
    filter_ = str(threshold.get("filter", "")) if threshold else ""
    if threshold is None:
        return
    if not _FILTER.fullmatch(filter_) or "metric.type" not in filter_:
        raise invalid(f"Field alert_policy.conditions.filter had an invalid value of {filter_!r}.")
    if "resource.type" not in filter_:
        raise invalid("The filter must specify a restriction on resource.type in the filter.")
