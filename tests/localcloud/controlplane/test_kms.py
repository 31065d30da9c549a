import pytest

from localcloud.controlplane import Cloud
from tests.localcloud.controlplane.conftest import Api, Json

LOCATION = "/kms/v1/projects/local-project/locations/europe-west1"
KEY = "projects/local-project/locations/europe-west1/keyRings/ring/cryptoKeys/key"


@pytest.fixture
async def key(api: Api) -> str:
    await api("POST", f"{LOCATION}/keyRings?keyRingId=ring", {})
    made = await api(
        "POST",
        f"{LOCATION}/keyRings/ring/cryptoKeys?cryptoKeyId=key",
        {"purpose": "ENCRYPT_DECRYPT"},
    )
    return str(made["name"])


CREATIONS: list[tuple[str, str, str, Json]] = [
    ("pubsub", "PUT", "/pubsub/v1/projects/local-project/topics/events", {"kmsKeyName": KEY}),
    (
        "storage",
        "POST",
        "/storage/v1/b?project=local-project",
        {"name": "local-source", "encryption": {"defaultKmsKeyName": KEY}},
    ),
    (
        "secretmanager",
        "POST",
        "/secretmanager/v1/projects/local-project/secrets?secretId=key",
        {"replication": {"automatic": {"customerManagedEncryption": {"kmsKeyName": KEY}}}},
    ),
    (
        "firestore",
        "POST",
        "/firestore/v1/projects/local-project/databases?databaseId=ledger",
        {"locationId": "europe-west1", "cmekConfig": {"kmsKeyName": KEY}},
    ),
    (
        "artifactregistry",
        "POST",
        "/artifactregistry/v1/projects/local-project/locations/europe-west1/repositories?repository_id=images",
        {"format": "DOCKER", "kmsKeyName": KEY},
    ),
]


@pytest.mark.parametrize(("service", "method", "path", "body"), CREATIONS)
async def test_a_key_must_be_usable_by_the_services_agent(
    cloud: Cloud, api: Api, key: str, service: str, method: str, path: str, body: Json
) -> None:
    cloud.state.enable("storage.googleapis.com")
    code, message = await api.refused(method, path, body)
    assert code == "PERMISSION_DENIED"
    assert "cloudkms.cryptoKeyVersions.useToEncrypt" in message
    role = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
    binding = {"role": role, "members": [cloud.state.agent(f"{service}.googleapis.com")]}
    await api("POST", f"/kms/v1/{key}:setIamPolicy", {"policy": {"bindings": [binding]}})
    assert await api(method, path, body)


async def test_a_key_must_exist(api: Api) -> None:
    path = "/pubsub/v1/projects/local-project/topics/events"
    assert (await api.refused("PUT", path, {"kmsKeyName": KEY}))[0] == "PERMISSION_DENIED"
