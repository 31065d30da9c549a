"""The embedded Cloud Storage over HTTP, as a client of the JSON API sees it."""

import base64
import hashlib
from collections.abc import AsyncIterator

import google_crc32c
import httpx2
import pytest

from localcloud.core.clock import ManualClock
from localcloud.storage import Objects, application
from localcloud.storage.uploads import CHUNK

UPLOAD = "/upload/storage/v1/b/results/o"
OBJECTS = "/storage/v1/b/results/o"
BYTES = b"\x00\r\n--\xff" * 100_000


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    served = application(Objects(ManualClock()), {"results"})
    transport = httpx2.ASGITransport(served)
    async with httpx2.AsyncClient(transport=transport, base_url="http://storage") as made:
        yield made


async def begin(client: httpx2.AsyncClient, name: str, **query: str) -> str:
    params = {"uploadType": "resumable", "name": name, **query}
    answer = await client.post(UPLOAD, params=params, json={"contentType": "video/mp4"})
    assert answer.status_code == 200
    return answer.headers["location"]


async def part(
    client: httpx2.AsyncClient, session: str, content: bytes, written: str
) -> httpx2.Response:
    return await client.put(session, content=content, headers={"content-range": written})


async def test_an_object_is_uploaded_in_one_request_and_read(client: httpx2.AsyncClient) -> None:
    params = {"uploadType": "media", "name": "batch/x/results.jsonl"}
    headers = {"content-type": "application/jsonl"}
    made = (await client.post(UPLOAD, params=params, content=BYTES, headers=headers)).json()
    crc = google_crc32c.value(BYTES).to_bytes(4, "big")
    assert (made["size"], made["contentType"]) == (str(len(BYTES)), "application/jsonl")
    assert made["crc32c"] == base64.b64encode(crc).decode()
    assert base64.b64decode(made["md5Hash"]) == hashlib.md5(BYTES, usedforsecurity=False).digest()
    path = f"{OBJECTS}/batch%2Fx%2Fresults.jsonl"
    assert (await client.get(path)).json() == made
    assert (await client.get(path, params={"alt": "media"})).content == BYTES
    assert (await client.get(OBJECTS, params={"prefix": "batch/"})).json()["items"] == [made]
    assert (await client.get(OBJECTS, params={"prefix": "video/"})).json()["items"] == []


async def test_an_object_is_uploaded_in_parts(client: httpx2.AsyncClient) -> None:
    session, total = await begin(client, "a"), len(BYTES)
    first = await part(client, session, BYTES[:CHUNK], f"bytes 0-{CHUNK - 1}/*")
    assert (first.status_code, first.headers["range"]) == (308, f"bytes=0-{CHUNK - 1}")
    assert (await client.get(f"{OBJECTS}/a")).status_code == 404
    last = await part(client, session, BYTES[CHUNK:], f"bytes {CHUNK}-{total - 1}/{total}")
    assert (last.status_code, last.json()["size"]) == (200, str(total))
    assert last.json()["contentType"] == "video/mp4"
    assert (await client.get(f"{OBJECTS}/a", params={"alt": "media"})).content == BYTES


async def test_a_session_tells_what_it_has_and_skips_what_is_sent_again(
    client: httpx2.AsyncClient,
) -> None:
    session, total = await begin(client, "a"), 2 * CHUNK
    nothing = await part(client, session, b"", "bytes */*")
    assert (nothing.status_code, "range" in nothing.headers) == (308, False)
    await part(client, session, BYTES[:CHUNK], f"bytes 0-{CHUNK - 1}/*")
    asked = await part(client, session, b"", f"bytes */{total}")
    assert (asked.status_code, asked.headers["range"]) == (308, f"bytes=0-{CHUNK - 1}")
    again = await part(client, session, BYTES[:total], f"bytes 0-{total - 1}/{total}")
    assert again.status_code == 200
    assert (await part(client, session, b"", f"bytes */{total}")).json() == again.json()
    assert (await client.get(f"{OBJECTS}/a", params={"alt": "media"})).content == BYTES[:total]


@pytest.mark.parametrize(
    ("content", "written", "message"),
    [
        (BYTES[:100], "bytes 0-99/*", "a multiple"),
        (BYTES[:100], "bytes 5-104/105", "exceeds already uploaded size of 0"),
        (BYTES[:100], "bytes 0-98/99", "does not match"),
        (BYTES[:100], "0-99", "Failed to parse"),
    ],
)
async def test_a_part_that_does_not_fit_is_refused(
    client: httpx2.AsyncClient, content: bytes, written: str, message: str
) -> None:
    answer = await part(client, await begin(client, "a"), content, written)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


async def test_a_cancelled_upload_leaves_no_object(client: httpx2.AsyncClient) -> None:
    session = await begin(client, "a")
    await part(client, session, BYTES[:CHUNK], f"bytes 0-{CHUNK - 1}/*")
    assert (await client.delete(session)).status_code == 499
    assert (await part(client, session, b"", "bytes */*")).status_code == 404
    assert (await client.get(OBJECTS)).json()["items"] == []


async def test_a_precondition_counts_when_the_upload_is_complete(
    client: httpx2.AsyncClient,
) -> None:
    session = await begin(client, "a", ifGenerationMatch="0")
    params = {"uploadType": "media", "name": "a", "ifGenerationMatch": "0"}
    assert (await client.post(UPLOAD, params=params, content=b"first")).status_code == 200
    late = await client.put(session, content=b"second")
    once_more = await client.post(UPLOAD, params=params, content=b"third")
    for refused in (late, once_more):
        assert refused.status_code == 412
        assert refused.json()["error"]["errors"][0]["reason"] == "conditionNotMet"
    assert (await client.get(f"{OBJECTS}/a", params={"alt": "media"})).content == b"first"
    # Without the precondition the last one counts.
    del params["ifGenerationMatch"]
    await client.post(UPLOAD, params=params, content=b"fourth")
    assert (await client.get(f"{OBJECTS}/a", params={"alt": "media"})).content == b"fourth"


async def test_content_that_is_not_what_its_checksum_says_is_refused(
    client: httpx2.AsyncClient,
) -> None:
    params = {"uploadType": "resumable", "name": "a"}
    begun = await client.post(UPLOAD, params=params, json={"crc32c": "AAAAAA=="})
    plain = await begin(client, "a")
    for session, headers in (
        (begun.headers["location"], {}),
        (plain, {"x-goog-hash": "md5=AAAA, crc32c=AAAAAA=="}),
    ):
        answer = await client.put(session, content=b"other", headers=headers)
        assert answer.status_code == 400
        assert "doesn't match calculated crc32c" in answer.json()["error"]["message"]
    assert (await client.get(f"{OBJECTS}/a")).status_code == 404


@pytest.mark.parametrize("query", ["uploadType=media", "name=a", "uploadType=xml&name=a"])
async def test_an_upload_names_its_object_and_its_kind(
    client: httpx2.AsyncClient, query: str
) -> None:
    assert (await client.post(f"{UPLOAD}?{query}", content=b"x")).status_code == 400


async def test_a_bucket_that_is_not_there_is_not_made(client: httpx2.AsyncClient) -> None:
    path = "/upload/storage/v1/b/other/o?uploadType=media&name=a"
    assert (await client.post(path, content=b"x")).status_code == 404
