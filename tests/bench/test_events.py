"""Prepared events are what the dispatcher reads, writes and publishes."""

import json
from datetime import UTC, datetime

from bench import events
from bench.events import prepare
from relay.web import push

NOW = datetime(2026, 1, 22, 12, tzinfo=UTC)


def test_the_dispatcher_reads_the_message_from_a_push() -> None:
    message = events.message(7)
    assert push.parse({}, events.envelope(message)) == message


async def test_a_request_has_what_a_server_gives_it() -> None:
    request = events.request(b'{"a": 1}')
    assert request.method == "POST"
    assert request.headers["content-length"] == "8"
    assert await request.body() == b'{"a": 1}'


def test_prepared_attributes_match_the_document_and_the_body() -> None:
    item = prepare(7, NOW)
    assert item.attributes["ce-id"] == item.fields["id"]
    assert json.loads(item.data)["type"] == item.attributes["ce-type"]


def test_each_event_has_its_own_document() -> None:
    assert len({item.document for item in (prepare(n, NOW) for n in range(100))}) == 100
