import pytest

from tests.localcloud.controlplane.conftest import Api, Json

ALERTS = "/monitoring/v3/projects/local-project/alertPolicies"
FILTER = 'metric.type = "pubsub.googleapis.com/x" AND resource.type = "pubsub_topic"'


def policy(filter_: str = FILTER) -> Json:
    condition = {"displayName": "c", "conditionThreshold": {"filter": filter_}}
    return {"displayName": "p", "combiner": "OR", "conditions": [condition]}


async def test_an_alert_policy_is_named_changed_and_deleted(api: Api) -> None:
    made = await api("POST", ALERTS, policy())
    assert made["conditions"][0]["name"].startswith(f"{made['name']}/conditions/")
    path = f"/monitoring/v3/{made['name']}"
    changed = await api("PATCH", f"{path}?updateMask=displayName", {"displayName": "q"})
    assert (changed["displayName"], changed["enabled"]) == ("q", True)
    assert len((await api("GET", ALERTS))["alertPolicies"]) == 1
    await api("DELETE", path)
    assert (await api.refused("GET", path))[0] == "NOT_FOUND"


@pytest.mark.parametrize(
    "filter_",
    [
        "",
        'resource.type = "pubsub_topic"',
        'metric.type = "a"',
        'metric.type = "a" AND',
        'metric.type = "a AND resource.type = "b"',
    ],
)
async def test_a_filter_that_does_not_parse_is_refused(api: Api, filter_: str) -> None:
    assert (await api.refused("POST", ALERTS, policy(filter_)))[0] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "filter_",
    [
        'resource.type="a" metric.type="b"',
        'metric.type="b" AND (resource.type="a" OR resource.type="c")',
        'resource.type = "a" AND metric.type = "b" AND NOT metric.labels.c = "d"',
        'resource.type = "a" AND metric.type = "b" AND metric.labels.c = one_of("d", "e")',
    ],
)
async def test_filters_that_google_takes(api: Api, filter_: str) -> None:
    await api("POST", ALERTS, policy(filter_))


async def test_a_policy_without_conditions_or_with_an_unknown_channel_is_refused(api: Api) -> None:
    assert (await api.refused("POST", ALERTS, policy() | {"conditions": []}))[
        0
    ] == "INVALID_ARGUMENT"
    channel = {"notificationChannels": ["projects/local-project/notificationChannels/1"]}
    assert (await api.refused("POST", ALERTS, policy() | channel))[0] == "INVALID_ARGUMENT"
    two = policy()
    two["conditions"][0]["conditionAbsent"] = {"filter": FILTER}
    assert (await api.refused("POST", ALERTS, two))[0] == "INVALID_ARGUMENT"


async def test_a_refused_change_leaves_the_policy_as_it_was(api: Api) -> None:
    made = await api("POST", ALERTS, policy())
    path = f"/monitoring/v3/{made['name']}"
    assert (await api.refused("PATCH", path, {"conditions": []}))[0] == "INVALID_ARGUMENT"
    assert (await api("GET", path))["conditions"] == made["conditions"]


async def test_channels_dashboards_and_metrics_are_stored(api: Api) -> None:
    project = "projects/local-project"
    channel = await api("POST", f"/monitoring/v3/{project}/notificationChannels", {"type": "email"})
    told = policy() | {"notificationChannels": [channel["name"]]}
    assert (await api("POST", ALERTS, told))["notificationChannels"] == [channel["name"]]
    dashboard = await api("POST", f"/monitoring/v1/{project}/dashboards", {"displayName": "d"})
    assert (await api("GET", f"/monitoring/v1/{dashboard['name']}"))["displayName"] == "d"
    assert (await api.refused("POST", f"/monitoring/v1/{project}/dashboards", {}))[
        0
    ] == "INVALID_ARGUMENT"
    metric = await api("POST", f"/logging/v2/{project}/metrics", {"name": "m", "filter": "a=b"})
    assert metric["name"] == "m"
    assert (await api.refused("POST", f"/logging/v2/{project}/metrics", {"name": "n"}))[
        0
    ] == "INVALID_ARGUMENT"
