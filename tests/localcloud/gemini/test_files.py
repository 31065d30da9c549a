import hashlib
import io
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google.genai.errors import APIError

from localcloud.core.clock import ManualClock
from localcloud.gemini import Gemini
from localcloud.gemini.content import Content
from tests.localcloud.gemini.test_jobs import MODEL, advance

# The SDK's annotations leave out most of what its calls take.
AsyncClient = Any
DAY = 24 * 3600


async def refused(call: Any) -> int:
    with pytest.raises(APIError) as caught:
        await call
    return int(caught.value.code)


async def make(http: httpx2.AsyncClient, **what: Any) -> dict[str, Any]:
    answer = await http.post("/control/files", json=what)
    assert answer.status_code == 200
    shown: dict[str, Any] = answer.json()
    return shown


async def test_a_file_is_uploaded_looked_up_listed_and_deleted(
    sdk: AsyncClient, tmp_path: Path
) -> None:
    path = tmp_path / "requests.jsonl"
    # More than one piece of the SDK's.
    path.write_bytes(b"{}\n" * (3 << 20))
    config = {"display_name": "nightly", "mime_type": "application/jsonl"}
    uploaded = await sdk.files.upload(file=path, config=config)
    shown = await sdk.files.get(name=uploaded.name)
    assert (shown.size_bytes, shown.display_name) == (9 << 20, "nightly")
    assert shown.sha256_hash == uploaded.sha256_hash
    assert shown.source.value == "UPLOADED"
    assert [file.name async for file in await sdk.files.list()] == [uploaded.name]
    assert await refused(sdk.files.download(file=uploaded.name)) == 400
    await sdk.files.delete(name=uploaded.name)
    assert await refused(sdk.files.get(name=uploaded.name)) == 404


async def test_a_file_may_choose_its_name_once(sdk: AsyncClient) -> None:
    config = {"name": "files/mine-1", "mime_type": "text/plain"}
    assert (await sdk.files.upload(file=io.BytesIO(b"x"), config=config)).name == "files/mine-1"
    assert await refused(sdk.files.upload(file=io.BytesIO(b"x"), config=config)) == 409


async def test_an_upload_can_be_asked_how_far_it_is(http: httpx2.AsyncClient) -> None:
    begun = await http.post(
        "/upload/v1beta/files",
        headers={
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-length": "6",
        },
        json={"file": {"displayName": "x"}},
    )
    url = begun.headers["x-goog-upload-url"]

    async def send(command: str, offset: int = 0, piece: bytes = b"") -> httpx2.Response:
        headers = {"x-goog-upload-command": command, "x-goog-upload-offset": str(offset)}
        return await http.post(url, headers=headers, content=piece)

    assert (await send("upload", 0, b"abc")).headers["x-goog-upload-status"] == "active"
    assert (await send("query")).headers["x-goog-upload-size-received"] == "3"
    refusals = [await send("upload", 0, b"abc"), await send("upload", 3, b"defg")]
    refusals += [await send("upload, finalize", 3, b"d"), await send("cancel")]
    assert [answer.status_code for answer in refusals] == [400] * 4
    final = await send("upload, finalize", 4, b"ef")
    assert (final.headers["x-goog-upload-status"], final.json()["file"]["sizeBytes"]) == (
        "final",
        "6",
    )
    assert (await send("query")).status_code == 404


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"x-goog-upload-protocol": "raw"}, {}),
        ({"x-goog-upload-header-content-length": "many"}, {}),
        ({"x-goog-upload-header-content-length": "99999999999"}, {}),
        ({}, {"file": 1}),
        ({}, {"file": {"name": f"files/{'x' * 41}"}}),
    ],
)
async def test_an_invalid_upload_is_refused(
    http: httpx2.AsyncClient, headers: dict[str, str], body: Any
) -> None:
    usual = {
        "x-goog-upload-protocol": "resumable",
        "x-goog-upload-command": "start",
        "x-goog-upload-header-content-length": "1",
    }
    answer = await http.post("/upload/v1/files", headers={**usual, **headers}, json=body)
    assert answer.status_code == 400


async def test_the_results_of_a_batch_can_be_downloaded_but_not_looked_up(
    sdk: AsyncClient, http: httpx2.AsyncClient
) -> None:
    lines = b"".join(json.dumps({"key": str(n), "request": {}}).encode() + b"\n" for n in range(3))
    config = {"mime_type": "application/jsonl"}
    source = await sdk.files.upload(file=io.BytesIO(lines), config=config)
    batch = await sdk.batches.create(model=MODEL, src=source.name)
    await advance(http, batch.name.removeprefix("batches/"), "succeeded")
    name = (await sdk.batches.get(name=batch.name)).dest.file_name
    assert len(name.removeprefix("files/")) == 42
    assert await refused(sdk.files.get(name=name)) == 400
    results = (await sdk.files.download(file=name)).splitlines()
    assert [json.loads(line)["key"] for line in results] == ["0", "1", "2"]
    assert "response" in json.loads(results[0])


async def test_a_control_decides_what_the_results_are(
    sdk: AsyncClient, http: httpx2.AsyncClient
) -> None:
    names = []
    for what in ({"results": [{"key": "a"}]}, {"text": "no JSON"}, {"base64": "AAE="}):
        batch = await sdk.batches.create(model=MODEL, src="files/input")
        await advance(http, batch.name.removeprefix("batches/"), "succeeded", **what)
        names.append((await sdk.batches.get(name=batch.name)).dest.file_name)
    contents = [await sdk.files.download(file=name) for name in names]
    assert contents == [b'{"key": "a"}\n', b"no JSON", b"\0\1"]


@pytest.mark.parametrize("settings", [{}, {"missing_file_status": 410}], indirect=True)
async def test_a_file_expires(
    sdk: AsyncClient, http: httpx2.AsyncClient, gemini: Gemini, clock: ManualClock
) -> None:
    missing = gemini.settings.missing_file_status
    first, second = await make(http, text="x"), await make(http, text="y")
    expiring = await http.post(f"/control/{first['name']}:expire")
    assert expiring.status_code == 200
    assert await refused(sdk.files.download(file=first["name"])) == missing
    assert await sdk.files.download(file=second["name"]) == b"y"
    await clock.advance(2 * DAY)
    assert await refused(sdk.files.get(name=second["name"])) == missing
    assert [file async for file in await sdk.files.list()] == []


@pytest.mark.parametrize("settings", [{"downloads_redirect": True}], indirect=True)
async def test_a_download_may_redirect(sdk: AsyncClient, http: httpx2.AsyncClient) -> None:
    file = await make(http, text="x")
    answer = await http.get(f"/v1beta/{file['name']}:download?alt=media")
    assert answer.status_code == 302
    assert await sdk.files.download(file=file["name"]) == b"x"
    assert (await http.get("/v1beta/files/unknown:download?alt=media")).status_code == 404


async def test_a_large_file_is_made_up_as_it_is_sent(http: httpx2.AsyncClient) -> None:
    size = (5 << 20) + 7
    file = await make(http, size=size, name="files/large")
    digest, received = hashlib.sha256(), 0
    async with http.stream("GET", f"/v1/{file['name']}:download?alt=media") as answer:
        assert answer.headers["content-length"] == str(size)
        async for chunk in answer.aiter_bytes():
            received += len(chunk)
            digest.update(chunk)
    assert (received, digest.digest()) == (size, Content.filler(size).digest())


@pytest.mark.parametrize("after", [0, 100, 3 << 20])
async def test_a_download_may_be_cut(http: httpx2.AsyncClient, after: int) -> None:
    file = await make(http, size=4 << 20)
    fault = {"operation": "files.download", "kind": "cut-connection", "after": after}
    await http.post("/control/faults", json=fault)
    with pytest.raises(httpx2.RemoteProtocolError, match=rf"received {after} bytes"):
        await http.get(f"/v1/{file['name']}:download?alt=media")
    assert (await http.get(f"/v1/{file['name']}:download?alt=media")).status_code == 200


@pytest.mark.parametrize(
    "what", [{}, {"size": -1}, {"size": "1"}, {"text": 1}, {"base64": "%"}, {"base64": 1}]
)
async def test_an_invalid_file_is_refused(http: httpx2.AsyncClient, what: Any) -> None:
    assert (await http.post("/control/files", json=what)).status_code == 400


async def test_a_download_needs_alt_media(http: httpx2.AsyncClient) -> None:
    file = await make(http, text="x")
    assert (await http.get(f"/v1/{file['name']}:download")).status_code == 400
