"""The dispatcher in a process of its own, beside loops that make its calls and nothing else.

`python -m bench.driver` writes `ready`, then answers each line on standard input with a line of
JSON. A line with a kind of work and a number of seconds is answered with a `Work`. `tidy` deletes
what was written since, so that the ledger keeps its size.

- `dispatcher`: prepared pushes go through the dispatcher's own entry point;
- `bare`: one write that creates the same document and one publish of the same event message,
  prepared beforehand, with nothing in between;
- `shared`: all that the dispatcher asks for, the write that ends the claim included, over its own
  store, where writes that arrive together share calls.

Each is done by the same number of tasks at once.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TextIO

import uvloop
from google.cloud.firestore import AsyncClient

from bench.events import Item, prepare, request
from relay.dispatcher import function as dispatcher
from relay.gcp.publisher import create_publisher
from relay.gcp.store import create_store
from relay.jobs import DELIVERIES

CONCURRENCY = 32
_MOST_PER_SECOND = 4000
_BATCH = 500
_SETTLED = 204


@dataclass(frozen=True)
class Work:
    """The result of one kind of work: events, and the seconds of time and CPU that they took.

    `cpu` is this process's, `store_cpu` the Firestore's where it is known.
    """

    events: int
    seconds: float
    cpu: float
    store_cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


Act = Callable[[Item], Awaitable[None]]


class Driver:
    """Does the work with one set of clients, on the event loop that created it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        project = environ["GOOGLE_CLOUD_PROJECT"]
        self._topic = f"projects/{project}/topics/gemini-webhooks-events"
        self._dispatch = dispatcher.create(environ)
        self._publisher = create_publisher(environ)
        self._client = AsyncClient(project=project)
        self._store = create_store(environ, DELIVERIES)
        self._numbers = count(1)
        self._written: list[str] = []
        self._acts: dict[str, Act] = {
            "dispatcher": self._dispatched,
            "bare": self._bare,
            "shared": self._shared,
        }

    async def work(self, kind: str, seconds: float) -> Work:
        """Do one kind of work for a number of seconds."""
        now = datetime.now(UTC)
        numbers = zip(range(int(seconds * _MOST_PER_SECOND)), self._numbers, strict=False)
        items = [prepare(number, now) for _, number in numbers]
        gc.collect()
        came = await run(self._acts[kind], items, seconds)
        self._written += [item.document for item in items[: came.events]]
        return came

    async def tidy(self) -> None:
        """Delete what was written."""
        while self._written:
            batch = self._client.batch()
            for name in self._written[:_BATCH]:
                batch.delete(self._client.document(DELIVERIES, name))
            await batch.commit()
            del self._written[:_BATCH]

    async def _dispatched(self, item: Item) -> None:
        reply = await self._dispatch(request(item.push))
        if reply.status_code != _SETTLED:
            raise RuntimeError(f"the dispatcher answered {reply.status_code}")

    async def _bare(self, item: Item) -> None:
        reference = self._client.document(DELIVERIES, item.document)
        await reference.create(dict(item.fields))
        await self._publish(item)

    async def _shared(self, item: Item) -> None:
        version = await self._store.create(item.document, item.fields)
        await self._publish(item)
        await self._store.update(item.document, item.ended, version)

    async def _publish(self, item: Item) -> None:
        await self._publisher.publish(self._topic, item.data, item.attributes, timeout=10)


async def run(act: Act, items: Iterable[Item], seconds: float) -> Work:
    """Act on items, `CONCURRENCY` at a time, until the time or the items run out."""
    left = iter(items)
    done = 0
    begun, used = time.perf_counter(), time.process_time()

    async def lane() -> None:
        nonlocal done
        while time.perf_counter() < begun + seconds:
            item = next(left, None)
            if item is None:
                return
            await act(item)
            done += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(lane())
    return Work(done, time.perf_counter() - begun, time.process_time() - used)


async def serve() -> None:
    """Obey each line of standard input until it ends."""
    answers = _take_output()
    driver = Driver(os.environ)
    answers.write("ready\n")
    while line := await asyncio.to_thread(sys.stdin.readline):
        answers.write(json.dumps(await _obey(driver, line.split())) + "\n")


def _take_output() -> TextIO:
    # The dispatcher writes its log to standard output, which costs a write here as on Cloud Run.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return answers


async def _obey(driver: Driver, order: Sequence[str]) -> object:
    if order == ["tidy"]:
        await driver.tidy()
        return None
    kind, seconds = order
    return asdict(await driver.work(kind, float(seconds)))


if __name__ == "__main__":
    uvloop.run(serve())
