from localcloud.controlplane import Cloud
from tests.localcloud.controlplane.conftest import Api

DATASETS = "/bigquery/v2/projects/local-project/datasets"


async def test_a_table_takes_messages_once_pubsub_may_write_to_it(cloud: Cloud, api: Api) -> None:
    await api("POST", DATASETS, {"datasetReference": {"datasetId": "lake"}})
    reference = {"projectId": "local-project", "datasetId": "lake", "tableId": "events"}
    tables = f"{DATASETS}/lake/tables"
    await api("POST", tables, {"tableReference": reference})
    assert (await api("GET", f"{tables}/events"))["tableReference"] == reference
    await api("PUT", "/pubsub/v1/projects/local-project/topics/events", {})
    path = "/pubsub/v1/projects/local-project/subscriptions/lake"
    body = {
        "topic": "projects/local-project/topics/events",
        "bigqueryConfig": {"table": "local-project.lake.events"},
    }
    assert (await api.refused("PUT", path, body))[0] == "FAILED_PRECONDITION"
    agent = cloud.state.agent("pubsub.googleapis.com")
    binding = {"role": "roles/bigquery.dataEditor", "members": [agent]}
    await api("POST", f"{tables}/events:setIamPolicy", {"policy": {"bindings": [binding]}})
    await api("PUT", path, body)
    await api("PATCH", f"{tables}/events", {"description": "d"})
    await api("DELETE", f"{tables}/events")
    await api("DELETE", f"{DATASETS}/lake")
    assert (await api.refused("GET", f"{DATASETS}/lake"))[0] == "NOT_FOUND"
