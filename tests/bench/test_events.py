"""What is prepared of an event is what the dispatcher makes of it."""

import json
from datetime import UTC, datetime

from bench import events
from bench.events import prepare
from relay.dispatcher import push

NOW = datetime(2026, 1, 22, 12, tzinfo=UTC)


def test_a_push_brings_the_message() -> None:
    message = events.message(7)
    assert push.parse({}, events.envelope(message)) == message


async def test_a_request_reads_like_a_servers() -> None:
    request = events.request(b'{"a": 1}')
    assert request.method == "POST"
    assert request.headers["content-length"] == "8"
    assert await request.body() == b'{"a": 1}'


def test_what_is_prepared_is_what_the_dispatcher_would_publish() -> None:
    item = prepare(7, NOW)
    assert item.attributes["ce-id"] == item.fields["id"]
    assert json.loads(item.data)["type"] == item.attributes["ce-type"]


def test_no_two_events_share_a_document() -> None:
    assert len({item.document for item in (prepare(n, NOW) for n in range(100))}) == 100
