import base64
import hashlib

import httpx2
import pytest

from localcloud.controlplane import Cloud
from localcloud.controlplane.errors import ApiError
from localcloud.controlplane.planes.storage import Storage
from tests.localcloud.controlplane.conftest import Api, Json

BUCKETS = "/storage/v1/b"
CONTENT = b"PK\x03\x04\r\n--\r\n\x00\xff"


@pytest.fixture
async def bucket(api: Api) -> str:
    await api(
        "POST", f"{BUCKETS}?project=local-project", {"name": "local-source", "location": "eu"}
    )
    return "local-source"


async def upload(api: Api, bucket: str, name: str) -> Json:
    body = (
        b'--frontier\r\nContent-Type: application/json\r\n\r\n{"name": "%s"}\r\n'
        b"--frontier\r\nContent-Type: application/zip\r\n\r\n%s\r\n--frontier--\r\n"
    ) % (name.encode(), CONTENT)
    headers = {"Content-Type": "multipart/related; boundary=frontier"}
    path = f"/upload/storage/v1/b/{bucket}/o?uploadType=multipart"
    answer = await api.client.post(path, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def test_a_bucket_is_made_changed_and_deleted(api: Api, bucket: str) -> None:
    path = f"{BUCKETS}/{bucket}"
    assert (await api("GET", path))["location"] == "EU"
    changed = await api("PATCH", path, {"labels": {"a": "b"}, "softDeletePolicy": None})
    assert changed["labels"] == {"a": "b"}
    assert "softDeletePolicy" not in changed
    assert changed["metageneration"] == "2"
    await api("DELETE", path, expect=204)
    assert (await api.refused("GET", path))[0] == "NOT_FOUND"


@pytest.mark.parametrize("name", ["", "A", "google-bucket", "ab", "-a-b"])
async def test_bad_bucket_names_are_refused(api: Api, name: str) -> None:
    code, _ = await api.refused("POST", f"{BUCKETS}?project=local-project", {"name": name})
    assert code == "INVALID_ARGUMENT"


async def test_a_bucket_is_made_once(api: Api, bucket: str) -> None:
    code, _ = await api.refused("POST", f"{BUCKETS}?project=local-project", {"name": bucket})
    assert code == "ALREADY_EXISTS"


async def test_an_object_is_uploaded_byte_for_byte(api: Api, bucket: str) -> None:
    made = await upload(api, bucket, "a/b.zip")
    digest = base64.b64encode(hashlib.md5(CONTENT, usedforsecurity=False).digest()).decode()
    assert (made["md5Hash"], made["size"]) == (digest, str(len(CONTENT)))
    assert made["contentType"] == "application/zip"
    answer = await api.client.get(f"{BUCKETS}/{bucket}/o/a%2Fb.zip?alt=media")
    assert answer.content == CONTENT
    assert (await api("GET", f"{BUCKETS}/{bucket}/o/a%2Fb.zip"))["generation"] == made["generation"]
    assert [item["name"] for item in (await api("GET", f"{BUCKETS}/{bucket}/o"))["items"]] == [
        "a/b.zip"
    ]


async def test_a_bucket_with_objects_cannot_be_deleted(api: Api, bucket: str) -> None:
    await upload(api, bucket, "a")
    code, message = await api.refused("DELETE", f"{BUCKETS}/{bucket}")
    assert (code, "not empty" in message) == ("ALREADY_EXISTS", True)
    await api("DELETE", f"{BUCKETS}/{bucket}/o/a", expect=204)
    await api("DELETE", f"{BUCKETS}/{bucket}", expect=204)


async def test_at_its_own_address_a_creator_creates_and_may_do_nothing_else(
    cloud: Cloud, api: Api, bucket: str, account: str
) -> None:
    member = f"serviceAccount:{account}"
    where = (await cloud.variables_for(member))["STORAGE_EMULATOR_HOST"]
    begin = (
        f"{where}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&name=a&ifGenerationMatch=0"
    )
    async with httpx2.AsyncClient(trust_env=False) as client:
        assert (await client.post(begin, json={})).status_code == 403
        policy = await api("GET", f"{BUCKETS}/{bucket}/iam")
        policy["bindings"].append({"role": "roles/storage.objectCreator", "members": [member]})
        await api("PUT", f"{BUCKETS}/{bucket}/iam", policy)
        sessions = [(await client.post(begin, json={})).headers["location"] for _ in range(3)]
        # A session's URI is the right to go on; it names nobody.
        assert account not in sessions[0]
        assert (await client.put(sessions[0], content=CONTENT)).status_code == 200
        assert (await client.put(sessions[1], content=CONTENT)).status_code == 412
        assert (await client.delete(sessions[2])).status_code == 499
        for method in ("GET", "DELETE"):
            path = f"{where}/storage/v1/b/{bucket}/o/a"
            assert (await client.request(method, path)).status_code == 403
    assert (await api("GET", f"{BUCKETS}/{bucket}/o/a"))["size"] == str(len(CONTENT))


async def test_an_object_that_is_not_there_is_not_found(api: Api, bucket: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        await api(method, f"{BUCKETS}/{bucket}/o/none", {}, expect=404)


async def test_reading_an_object_needs_storage_objects_get(
    cloud: Cloud, api: Api, bucket: str, account: str
) -> None:
    await upload(api, bucket, "a")
    storage = next(plane for plane in cloud.planes if isinstance(plane, Storage))
    with pytest.raises(ApiError, match=f"{account} does not have storage.objects.get access"):
        storage.read(f"serviceAccount:{account}", bucket, "a")
    policy = await api("GET", f"{BUCKETS}/{bucket}/iam")
    reader = {"role": "roles/storage.objectViewer", "members": [f"serviceAccount:{account}"]}
    policy["bindings"].append(reader)
    await api("PUT", f"{BUCKETS}/{bucket}/iam", policy)
    assert storage.read(f"serviceAccount:{account}", bucket, "a") == CONTENT


async def test_asking_for_storages_agent_creates_it(api: Api) -> None:
    found = await api("GET", "/storage/v1/projects/local-project/serviceAccount")
    assert (
        found["email_address"] == "service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    )
