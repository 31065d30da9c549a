from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from localcloud.core.clock import ManualClock
from localcloud.core.rpc import RpcError
from localcloud.firestore import Firestore
from localcloud.firestore.messages import Write
from tests.localcloud.firestore.conftest import Invoke, invoker
from tests.support.firestore_messages import DATABASE, ROOT, document


async def put(invoke: Invoke, path: str, fields: dict[str, Any]) -> None:
    await invoke("Commit", database=DATABASE, writes=[Write(update=document(path, fields))])


async def present(invoke: Invoke, *paths: str) -> list[str]:
    names = [f"{ROOT}/{path}" for path in paths]
    replies = await invoke("BatchGetDocuments", database=DATABASE, documents=names)
    return [each.found.name.removeprefix(f"{ROOT}/") for each in replies if each.found.name]


async def test_a_database_that_does_not_exist_is_not_found(clock: ManualClock) -> None:
    existing: set[str] = set()
    invoke = invoker(Firestore(clock, exists=existing.__contains__))
    with pytest.raises(RpcError, match=r"database \(default\) does not exist for project p") as no:
        await put(invoke, "c/d", {})
    assert no.value.code is grpc.StatusCode.NOT_FOUND
    existing.add(DATABASE)
    await put(invoke, "c/d", {})


async def test_a_dropped_database_is_empty_when_it_is_made_again(
    emulator: Firestore, invoke: Invoke
) -> None:
    await put(invoke, "c/d", {})
    emulator.drop_database(DATABASE)
    emulator.drop_database("projects/p/databases/never")
    assert await present(invoke, "c/d") == []


async def test_documents_whose_time_to_live_is_over_are_deleted(
    emulator: Firestore, invoke: Invoke, clock: ManualClock
) -> None:
    now = datetime.fromtimestamp(clock.time(), UTC)
    await put(invoke, "c/over", {"expire_at": now - timedelta(seconds=1)})
    await put(invoke, "c/due", {"expire_at": now})
    await put(invoke, "c/later", {"expire_at": now + timedelta(seconds=60)})
    await put(invoke, "c/never", {"n": 1})
    await put(invoke, "c/text", {"expire_at": "2001-01-01"})
    await put(invoke, "c/over/c/below", {"expire_at": now})
    await put(invoke, "other/over", {"expire_at": now})
    paths = ["c/over", "c/due", "c/later", "c/never", "c/text", "c/over/c/below", "other/over"]
    assert emulator.expire(DATABASE, "c", "expire_at") == 3
    assert await present(invoke, *paths) == ["c/later", "c/never", "c/text", "other/over"]
    await clock.advance(60)
    assert emulator.expire(DATABASE, "c", "expire_at") == 1
    assert emulator.expire(DATABASE, "c", "expire_at") == 0
