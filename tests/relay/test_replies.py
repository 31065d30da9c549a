import asyncio
import logging

from starlette.types import Message, Scope

from relay.replies import Reply, hush_lost_connections

SCOPE: Scope = {"type": "http"}


async def receive() -> Message:
    raise AssertionError


async def test_a_reply_can_be_sent_often_and_at_once() -> None:
    reply = Reply(503, b"{}", {"Retry-After": "5"})
    sent: list[Message] = []

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    await asyncio.gather(*(reply(SCOPE, receive, send) for _ in range(3)))
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert [message["status"] for message in starts] == [503] * 3
    assert dict(starts[0]["headers"]) == {
        b"retry-after": b"5",
        b"content-length": b"2",
        b"content-type": b"application/json",
    }


async def test_a_lost_connection_is_nobodys_error() -> None:
    async def send(_message: Message) -> None:
        raise RuntimeError("the handler is closed")

    await Reply(200, b"{}")(SCOPE, receive, send)


def test_uvicorn_does_not_log_what_reply_could_not_send() -> None:
    hush_lost_connections()
    hush_lost_connections()
    logger = logging.getLogger("uvicorn.error")

    def passes(message: str) -> bool:
        record = logging.makeLogRecord({"name": logger.name, "msg": message})
        return bool(logger.filter(record))

    assert not passes("ASGI callable returned without completing response.")
    assert passes("anything else")
