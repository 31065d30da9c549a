import json
from typing import Any

import pytest

from relay.collector.results import Announced, NotFetchable, Result, read, result
from relay.gemini.api import BASE_URL

LAPTOP = "http://127.0.0.1:8080"


def announced(event_type: str, **data: Any) -> Announced:
    return Announced(event_type, data)


def batch_file(file: str = "batch-b1", folder: str = "b1") -> Result:
    return Result(
        "batch",
        f"batch/{folder}",
        f"/v1beta/files/{file}:download",
        {"alt": "media"},
        f"batch/{folder}/results.jsonl",
        "application/jsonl",
    )


def described(kind: str, folder: str, path: str, **query: str | int | bool) -> Result:
    name = f"{kind}/{folder}/{kind}.json"
    return Result(kind, f"{kind}/{folder}", path, query, name, "application/json", described=True)


@pytest.mark.parametrize("event_type", ["batch.succeeded", "batch.completed"])
@pytest.mark.parametrize("identifier", ["batch_b1", "batches/b1", "b1"])
@pytest.mark.parametrize(
    "uri",
    [
        "files/batch-b1",
        f"{BASE_URL}/v1beta/files/batch-b1:download?alt=media",
        f"{BASE_URL}/v1beta/files/batch-b1",
        f"{LAPTOP}/v1/files/batch-b1:download?alt=media",
    ],
)
def test_a_batch_file(event_type: str, identifier: str, uri: str) -> None:
    event = announced(event_type, id=identifier, output_file_uri=uri)
    assert result(event, LAPTOP) == batch_file()


def test_a_files_name_is_parsed_whole() -> None:
    uri = f"{BASE_URL}/v1beta/files/ab-cd:download?alt=media"
    found = result(announced("batch.succeeded", id="b1", output_file_uri=uri), BASE_URL)
    assert found == batch_file("ab-cd")


def test_an_inline_batch() -> None:
    found = result(announced("batch.succeeded", id="batch_b1"), BASE_URL)
    assert found == described("batch", "b1", "/v1/batches/b1")
    assert found.in_file("files/batch-b1") == batch_file()


@pytest.mark.parametrize("status", ["completed", "incomplete", "budget_exceeded"])
def test_an_interaction(status: str) -> None:
    found = result(announced(f"interaction.{status}", id="v1_aB-c.d"), BASE_URL)
    assert found == described(
        "interaction", "v1_aB-c.d", "/v1/interactions/v1_aB-c.d", stream="false"
    )


@pytest.mark.parametrize(
    "data",
    [
        {"file_id": "files/f1", "video_uri": "https://elsewhere.example/files/f2"},
        {"file_id": "f1"},
        {"video_uri": f"{BASE_URL}/v1beta/files/f1:download?alt=media"},
        {"file_name": "files/f1"},
        {"id": "files/f1", "output_file_uri": f"{BASE_URL}/v1beta/files/f1:download?alt=media"},
    ],
)
def test_a_video(data: dict[str, Any]) -> None:
    assert result(announced("video.generated", **data), BASE_URL) == Result(
        "video",
        "video/f1",
        "/v1beta/files/f1:download",
        {"alt": "media"},
        "video/f1/video.mp4",
        "video/mp4",
    )


@pytest.mark.parametrize(
    "event_type",
    [
        "batch.failed",
        "batch.cancelled",
        "batch.expired",
        "interaction.failed",
        "interaction.requires_action",
        "interaction.cancelled",
        "video.failed",
        "relay.job.collected",
        "relay.job.lost",
        "webhook.ping",
        "music.completed",
        "batch",
        "",
    ],
)
def test_an_event_without_a_result(event_type: str) -> None:
    assert result(announced(event_type, id="b1", output_file_uri="gs://x/y"), BASE_URL) is None


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("batch.succeeded", {"id": "b1", "output_file_uri": "gs://bucket/results.jsonl"}),
        ("batch.succeeded", {"id": "b1", "output_file_uri": "https://evil.example/v1/files/f"}),
        ("batch.succeeded", {"id": "b1", "output_file_uri": "//evil.example/v1/files/f"}),
        ("batch.succeeded", {"id": "b1", "output_file_uri": f"{BASE_URL}.evil.example/files/f"}),
        ("batch.succeeded", {"id": "b1", "output_file_uri": f"{BASE_URL}@evil.example/files/f"}),
        ("batch.succeeded", {"id": "b1", "output_file_uri": f"{BASE_URL}/v1/webhooks/w"}),
        ("batch.succeeded", {"id": "b1", "output_file_uri": "files/../webhooks"}),
        ("batch.succeeded", {"id": "b1", "output_file_uri": "http://[bad/files/f"}),
        ("batch.succeeded", {"id": "a/b"}),
        ("batch.succeeded", {}),
        ("batch.succeeded", {"id": ".."}),
        ("interaction.completed", {"id": ".."}),
        ("interaction.completed", {"id": 7}),
        ("interaction.completed", {"id": "v1_\ud800"}),
        ("interaction.completed", {}),
        ("video.generated", {"id": "models/veo/operations/o1"}),
        ("video.generated", {"file_id": "files/"}),
        ("video.generated", {"video_uri": "gs://bucket/v.mp4"}),
    ],
)
def test_what_may_not_be_fetched(event_type: str, data: dict[str, Any]) -> None:
    with pytest.raises(NotFetchable):
        result(announced(event_type, **data), BASE_URL)


def test_a_name_is_one_folder() -> None:
    found = result(announced("interaction.completed", id="a/../b c"), BASE_URL)
    assert found is not None
    assert found.path == "/v1/interactions/a%2F..%2Fb%20c"
    # What an object is called must not depend on how somebody reads a slash.
    assert found.object_name == "interaction/a%2F..%2Fb%20c/interaction.json"


def test_an_event_is_read() -> None:
    body = {
        "type": "batch.succeeded",
        "user_metadata": {"a": 1, "b": 1},
        "data": {"id": "b1", "user_metadata": {"b": 2}},
    }
    event = read(json.dumps(body).encode())
    assert event is not None
    assert (event.type, event.name, event.metadata) == ("batch.succeeded", "b1", {"a": 1, "b": 2})


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b"{}", b'{"type": 7}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_event(body: bytes) -> None:
    assert read(body) is None
