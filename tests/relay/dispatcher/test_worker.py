"""What a worker does where the ledger hangs or fails; see tests/crash for every other moment."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay.dispatcher import worker
from relay.dispatcher.claims import DONE, Terms
from relay.dispatcher.routes import Route
from relay.dispatcher.settings import Settings
from relay.dispatcher.worker import Outcome, Worker
from relay.errors import Unavailable
from relay.gcp.store import LedgerUnavailable
from relay.web.push import PushedMessage
from tests.support.documents import MemoryStore

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
MESSAGE = PushedMessage(b'{"type":"batch.succeeded"}', {"webhook-id": "1", "dedup-key": "1"})
ROUTES = (Route("events", "projects/p/topics/events"),)


class Publisher:
    async def publish(
        self, _topic: str, _data: bytes, _attributes: Mapping[str, str], *, timeout: float
    ) -> str:
        assert timeout > 0
        return "1"


def make(store: MemoryStore, lease: timedelta = timedelta(seconds=120)) -> Worker:
    settings = Settings("p", "projects/p/topics/dead", ROUTES, Terms(lease=lease))
    return Worker(settings, store, Publisher(), lambda: NOW)


class Hanging(MemoryStore):
    async def create(self, _document: str, _fields: Mapping[str, Any]) -> int:
        await asyncio.Event().wait()
        raise AssertionError


class Failing(MemoryStore):
    """Updates fail so often."""

    def __init__(self, times: float) -> None:
        super().__init__()
        self.left = times

    async def update(self, document: str, fields: Mapping[str, Any], version: int) -> int:
        if self.left > 0:
            self.left -= 1
            raise LedgerUnavailable("out of order")
        return await super().update(document, fields, version)


class Overtaken(MemoryStore):
    """Somebody else is done with the event before our own update comes."""

    async def update(self, document: str, fields: Mapping[str, Any], version: int) -> int:
        if not self.calls.count("update"):
            self.documents.update(document, {"state": DONE, "owner": "another"}, version)
        return await super().update(document, fields, version)


async def test_a_claim_is_cut_short_when_its_time_is_over() -> None:
    with pytest.raises(Unavailable) as cut_short:
        await make(Hanging(), timedelta(seconds=0.1)).handle(MESSAGE)
    assert cut_short.value.reason == "claim-cut-short"


async def test_an_event_that_another_worker_finished_is_done() -> None:
    assert await make(Overtaken()).handle(MESSAGE) is Outcome.DONE


async def test_a_record_that_fails_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_RECORD_PAUSE_SECONDS", 0.0)
    store = Failing(times=2)
    assert await make(store).handle(MESSAGE) is Outcome.DONE
    assert store.calls == ["create", "update"]


async def test_a_record_is_retried_until_the_deadline() -> None:
    with pytest.raises(Unavailable) as cut_short:
        await make(Failing(float("inf")), timedelta(seconds=0.5)).handle(MESSAGE)
    assert cut_short.value.reason == "record-cut-short"
