from localcloud.controlplane import Cloud
from tests.localcloud.controlplane.conftest import Api

MINTING = "/iamcredentials/v1/projects/-/serviceAccounts"


async def may_mint(api: Api, account: str, role: str) -> None:
    binding = {"role": role, "members": ["user:deployer@example.com"]}
    path = f"/iam/v1/projects/local-project/serviceAccounts/{account}:setIamPolicy"
    await api("POST", path, {"policy": {"bindings": [binding]}})


async def test_an_owner_mints_no_token_without_a_grant(api: Api, account: str) -> None:
    path = f"{MINTING}/{account}:generateIdToken"
    code, message = await api.refused("POST", path, {"audience": "https://a"})
    assert code == "PERMISSION_DENIED"
    assert "iam.serviceAccounts.getOpenIdToken" in message


async def test_an_identity_token_is_the_accounts(cloud: Cloud, api: Api, account: str) -> None:
    await may_mint(api, account, "roles/iam.serviceAccountOpenIdTokenCreator")
    answer = await api("POST", f"{MINTING}/{account}:generateIdToken", {"audience": "https://a"})
    assert cloud.state.issuer.verify(answer["token"], {"https://a"})["email"] == account
    path = f"{MINTING}/{account}:generateAccessToken"
    assert (await api.refused("POST", path))[0] == "PERMISSION_DENIED"


async def test_an_access_token_makes_its_bearer_the_account(
    cloud: Cloud, api: Api, account: str
) -> None:
    await may_mint(api, account, "roles/iam.serviceAccountTokenCreator")
    answer = await api("POST", f"{MINTING}/{account}:generateAccessToken", {})
    bearer = cloud.state.identify(f"Bearer {answer['accessToken']}")
    assert bearer == f"serviceAccount:{account}"


async def test_a_missing_account_is_refused_like_a_forbidden_one(api: Api) -> None:
    path = f"{MINTING}/nobody@local-project.iam.gserviceaccount.com:generateIdToken"
    assert (await api.refused("POST", path, {"audience": "https://a"}))[0] == "PERMISSION_DENIED"


async def test_a_token_is_for_somebody(api: Api, account: str) -> None:
    assert (await api.refused("POST", f"{MINTING}/{account}:generateIdToken", {}))[
        0
    ] == "INVALID_ARGUMENT"
