import pytest

from tests.localcloud.controlplane.conftest import Api

ACCOUNTS = "/iam/v1/projects/local-project/serviceAccounts"
ROLES = "/iam/v1/projects/local-project/roles"


async def test_an_account_is_made_shown_changed_and_deleted(api: Api, account: str) -> None:
    path = f"{ACCOUNTS}/{account}"
    assert (await api("GET", path))["displayName"] == "Worker"
    change = {"serviceAccount": {"displayName": "Drone"}, "updateMask": "displayName"}
    assert (await api("PATCH", path, change))["displayName"] == "Drone"
    await api("POST", f"{path}:disable")
    assert (await api("GET", path))["disabled"] is True
    await api("POST", f"{path}:enable")
    assert (await api("GET", path))["disabled"] is False
    await api("DELETE", path)
    assert (await api.refused("GET", path))[0] == "NOT_FOUND"


async def test_an_account_is_made_once(api: Api, account: str) -> None:
    body = {"accountId": account.partition("@")[0]}
    assert await api.refused("POST", ACCOUNTS, body) == (
        "ALREADY_EXISTS",
        "Service account worker already exists",
    )


@pytest.mark.parametrize("name", ["", "short", "Capital", "ends-in-", "a" * 31, "1digit"])
def test_bad_account_ids(name: str) -> None:
    from localcloud.controlplane.planes.iam import _ACCOUNT_ID

    assert not _ACCOUNT_ID.fullmatch(name)


async def test_an_account_has_a_policy(api: Api, account: str) -> None:
    binding = {"role": "roles/iam.serviceAccountUser", "members": [f"serviceAccount:{account}"]}
    path = f"{ACCOUNTS}/{account}"
    await api("POST", f"{path}:setIamPolicy", {"policy": {"bindings": [binding]}})
    assert (await api("POST", f"{path}:getIamPolicy"))["bindings"] == [binding]
    assert (await api.refused("POST", f"{ACCOUNTS}/nobody:getIamPolicy"))[0] == "NOT_FOUND"


async def test_a_custom_role_is_made_changed_deleted_and_undeleted(api: Api) -> None:
    role = {"title": "Reader", "includedPermissions": ["secretmanager.versions.access"]}
    made = await api("POST", ROLES, {"roleId": "reader", "role": role})
    assert made["name"] == "projects/local-project/roles/reader"
    wider = {"includedPermissions": ["secretmanager.versions.list"]}
    path = f"{ROLES}/reader"
    changed = await api("PATCH", f"{path}?updateMask=includedPermissions", wider)
    assert (changed["title"], changed["includedPermissions"]) == (
        "Reader",
        ["secretmanager.versions.list"],
    )
    assert (await api("DELETE", path))["deleted"] is True
    assert await api.refused("POST", ROLES, {"roleId": "reader", "role": role}) == (
        "FAILED_PRECONDITION",
        "You can't create a role_id (reader) which has been marked for deletion.",
    )
    assert "deleted" not in await api("POST", f"{path}:undelete", {})


async def test_a_custom_role_holds_permissions_that_exist(api: Api) -> None:
    role = {"includedPermissions": ["secretmanager.versions.peek"]}
    assert await api.refused("POST", ROLES, {"roleId": "reader", "role": role}) == (
        "INVALID_ARGUMENT",
        "Permission secretmanager.versions.peek is not valid.",
    )
    assert (await api.refused("POST", ROLES, {"roleId": "a-b", "role": {}}))[
        0
    ] == "INVALID_ARGUMENT"
