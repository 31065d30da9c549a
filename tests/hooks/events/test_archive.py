import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, writer

from hooks.errors import HooksError, UsageError
from hooks.events.archive import Archive
from localcloud.core.rpc import Call
from tests.hooks.conftest import NAMES, Relay

# As Pub/Sub writes them.
SCHEMA = {
    "type": "record",
    "name": "AvroPubsubMessageWithMetadata",
    "namespace": "com.google.pubsub.flow.gcs.avro",
    "fields": [
        {"name": "subscription_name", "type": "string"},
        {"name": "message_id", "type": "string"},
        {"name": "publish_time", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "attributes", "type": {"type": "map", "values": "string"}},
        {"name": "data", "type": "bytes"},
    ],
}
LONG_AGO = datetime(2024, 2, 29, 12, tzinfo=UTC)


def record(number: int, kind: str = "batch.succeeded") -> dict[str, Any]:
    return {
        "subscription_name": "projects/p/subscriptions/gemini-webhooks-archive-ingress",
        "message_id": str(number),
        "publish_time": LONG_AGO,
        "attributes": {
            "webhook-id": f"evt_{number}",
            "dedup-key": f"evt_{number}",
            "scheme": "v1",
            "received-at": "2024-02-29T12:00:00.000Z",
        },
        "data": json.dumps({"type": kind, "data": {"id": f"job_{number}"}}).encode(),
    }


def write(path: Path, records: Sequence[Mapping[str, Any]], schema: Any = SCHEMA) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        writer(file, parse_schema(schema), records)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    archive = tmp_path / "archive"
    write(archive / "ingress" / "2024-02-29" / "a.avro", [record(number) for number in range(3)])
    write(archive / "ingress" / "2024-03-01" / "b.avro", [record(3, "video.generated"), record(0)])
    write(archive / "ingress" / "2024-03-02" / "c.avro", [])
    return archive


async def test_every_record_of_every_file_is_read(directory: Path) -> None:
    done: list[str] = []
    archive = Archive(directory, done)
    first = await archive.pull(2)
    assert [each.message_id for each in first] == ["0", "1"]
    assert first[0].attributes["webhook-id"] == "evt_0"
    assert first[0].published == LONG_AGO
    assert json.loads(first[0].data)["type"] == "batch.succeeded"
    assert [each.message_id for each in await archive.pull(2)] == ["2"]
    assert done == []
    second = await archive.pull(9)
    assert [each.message_id for each in second] == ["3", "0"]
    assert done == ["ingress/2024-02-29/a.avro"]
    assert len({each.ack_id for each in (*first, *second)}) == 4
    assert await archive.pull(1) == []
    assert len(done) == 3
    assert await Archive(directory, done).pull(1) == []


async def test_times_may_be_plain_numbers(tmp_path: Path) -> None:
    fields: Any = SCHEMA["fields"]
    plain = [
        {**each, "type": "long"} if each["name"] == "publish_time" else each for each in fields
    ]
    given = record(1) | {"publish_time": int(LONG_AGO.timestamp() * 1e6)}
    write(tmp_path / "a.avro", [given], SCHEMA | {"fields": plain})
    [message] = await Archive(tmp_path, []).pull(5)
    assert message.published == LONG_AGO


@pytest.mark.parametrize("content", [b"", b"Obj\x01", b"not avro at all", b"\x00" * 100])
async def test_a_file_that_is_not_avro_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.avro").write_bytes(content)
    with pytest.raises(HooksError, match=r"x\.avro is not an Avro file of messages"):
        await Archive(tmp_path, []).pull(1)


async def test_records_without_metadata_are_refused(tmp_path: Path) -> None:
    schema = {"type": "record", "name": "M", "fields": [{"name": "data", "type": "bytes"}]}
    write(tmp_path / "x.avro", [{"data": b"{}"}], schema)
    with pytest.raises(HooksError, match="with their metadata"):
        await Archive(tmp_path, []).pull(1)


@pytest.mark.parametrize(("name", "said"), [("gs://b/ingress", "gcloud"), ("/nowhere", "no .avro")])
def test_a_directory_without_files_is_refused(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Archive(Path(name), [])


async def test_events_are_replayed_from_the_archive(relay: Relay, directory: Path) -> None:
    dry = await relay.hooks(
        "events", "replay", "--type", "*", "--archive", str(directory), "--dry-run"
    )
    assert (dry["events"], dry["scanned"]) == (4, 5)
    assert relay.pubsub.published_count(NAMES.ingress) == 0

    told = await relay.hooks("events", "replay", "--type", "batch.*", "--archive", str(directory))
    await relay.dispatched()

    assert told["events"] == 3
    assert relay.fanned_out(NAMES.events) == {f"evt_{number}": 1 for number in range(3)}
    assert {each["replay"] for each, _ in relay.messages(NAMES.events)} == {told["replay"]}


async def test_a_replay_from_the_archive_is_resumed(
    relay: Relay, directory: Path, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "half.json"

    def after_the_first_file(call: Call) -> bool:
        full = relay.pubsub.published_count(NAMES.ingress) >= 3
        return full and getattr(call.request, "topic", "") == NAMES.ingress

    relay.refuse = after_the_first_file
    stopped = await relay.invoke(
        *("events", "replay", "--since", "-9999d", "--archive", str(directory)),
        *("--checkpoint", str(checkpoint)),
    )
    assert isinstance(stopped.exception, HooksError)
    relay.refuse = lambda _call: False

    told = await relay.hooks("events", "replay", "--resume", str(checkpoint))
    await relay.dispatched()

    assert told["scanned"] == 5
    assert relay.fanned_out(NAMES.events) == {f"evt_{number}": 1 for number in range(4)}
