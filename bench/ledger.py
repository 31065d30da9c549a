"""An embedded Firestore with a ledger of a given size, in a process of its own.

`python -m bench.ledger DOCUMENTS` writes its address once the ledger is filled. It answers each
line on standard input with the seconds of CPU that it has used, and ends with that input.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import uvloop

from bench.parties import PROJECT
from localcloud.core import rpc
from localcloud.core.clock import SystemClock
from localcloud.firestore import Firestore
from localcloud.firestore.messages import Document
from relay.dispatcher.claims import DONE, document_id, shard
from relay.jobs import DELIVERIES

DATABASE = f"projects/{PROJECT}/databases/(default)"


def documents(count: int, now: datetime) -> Iterator[Document]:
    """Yield the documents of finished events; each is valid until the next is taken."""
    document = Document()
    document.create_time.FromDatetime(now)
    document.update_time.FromDatetime(now)
    texts = {
        "type": "batch.succeeded",
        "subject": "batch_000000000000",
        "scheme": "v1",
        "state": DONE,
        "owner": "0" * 32,
    }
    for name, text in texts.items():
        document.fields[name].string_value = text
    times = {"received_at": now, "lease_until": now, "expire_at": now + timedelta(days=7)}
    for name, moment in times.items():
        document.fields[name].timestamp_value.FromDatetime(moment)
    document.fields["attempt"].integer_value = 1
    document.fields["routes_done"].array_value.values.add(string_value="events")
    for number in range(count):
        key = f"msg_old_{number:09d}"
        ident = document_id(key)
        document.name = f"{DATABASE}/documents/{DELIVERIES}/{ident}"
        document.fields["id"].string_value = key
        document.fields["shard"].integer_value = shard(ident)
        yield document


async def serve(count: int) -> None:
    """Serve a ledger of `count` documents until standard input ends."""
    firestore = Firestore(SystemClock())
    firestore.load(documents(count, datetime.now(UTC)))
    # A database does not search all its documents for garbage.
    gc.freeze()
    listener = await rpc.listen(firestore.services)
    answer(listener.address)
    while await asyncio.to_thread(sys.stdin.readline):
        answer(time.process_time())
    await listener.stop()
    await firestore.close()


def answer(what: Any) -> None:
    """Write one line at once."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
