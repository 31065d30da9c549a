import base64

import pytest

from tests.localcloud.controlplane.conftest import Api

PROJECT = "/secretmanager/v1/projects/local-project"
SECRET = f"{PROJECT}/secrets/key"


@pytest.fixture
async def secret(api: Api) -> str:
    body = {"replication": {"automatic": None}, "labels": {"a": "b"}}
    code, _ = await api.refused("POST", f"{PROJECT}/secrets?secretId=key", body)
    assert code == "INVALID_ARGUMENT"
    body = {"replication": {"automatic": {}}, "labels": {"a": "b"}}
    return str((await api("POST", f"{PROJECT}/secrets?secretId=key", body))["name"])


async def test_names_bear_the_projects_number(secret: str) -> None:
    assert secret == "projects/123456789012/secrets/key"


async def test_a_secret_is_shown_changed_listed_and_deleted(api: Api, secret: str) -> None:
    changed = await api("PATCH", f"{SECRET}?updateMask=labels", {"labels": {"c": "d"}})
    assert changed["labels"] == {"c": "d"}
    assert (await api("GET", f"/secretmanager/v1/{secret}"))["labels"] == {"c": "d"}
    assert len((await api("GET", f"{PROJECT}/secrets"))["secrets"]) == 1
    await api("DELETE", SECRET)
    assert (await api.refused("GET", SECRET))[0] == "NOT_FOUND"


@pytest.mark.usefixtures("secret")
async def test_a_version_goes_through_its_life(api: Api) -> None:
    payload = {"payload": {"data": base64.b64encode(b"value").decode()}}
    version = (await api("POST", f"{SECRET}:addVersion", payload))["name"]
    path = f"/secretmanager/v1/{version}"
    accessed = await api("GET", f"{path}:access")
    assert base64.b64decode(accessed["payload"]["data"]) == b"value"
    assert (await api("POST", f"{path}:disable", {}))["state"] == "DISABLED"
    assert (await api("POST", f"{path}:enable", {}))["state"] == "ENABLED"
    assert len((await api("GET", f"{SECRET}/versions"))["versions"]) == 1
    assert (await api("POST", f"{path}:destroy", {}))["state"] == "DESTROYED"
    assert (await api("GET", path))["state"] == "DESTROYED"


@pytest.mark.usefixtures("secret")
async def test_a_secret_has_a_policy(api: Api) -> None:
    binding = {"role": "roles/secretmanager.secretAccessor", "members": ["user:me@example.com"]}
    await api("POST", f"{SECRET}:setIamPolicy", {"policy": {"bindings": [binding]}})
    assert (await api("GET", f"{SECRET}:getIamPolicy"))["bindings"] == [binding]
    assert (await api.refused("GET", f"{SECRET}-2:getIamPolicy"))[0] == "NOT_FOUND"
