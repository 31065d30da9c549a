import asyncio
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.types import Message

from relay.errors import Refused
from relay.web.body import read_body

Part = bytes | None
"""A chunk, or None for a client that goes away."""


def request(*parts: Part, length: str | None = None, more: bool = False) -> Request:
    """A request in parts, after which nothing more comes if `more` is still to come."""
    left = list(parts)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        part = left.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(left) or more}

    headers = [] if length is None else [(b"content-length", length.encode("latin-1"))]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


async def refusal(made: Request, timeout: float = 30) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        await read_body(made, limit=10, timeout=timeout)
    return caught.value.status, caught.value.reason


async def test_a_body_in_parts() -> None:
    assert await read_body(request(b"ab", b"", b"\xff\x00"), limit=10, timeout=30) == b"ab\xff\x00"
    assert await read_body(request(b"", length="0"), limit=10, timeout=30) == b""
    assert await read_body(request(b"x" * 10, length="10"), limit=10, timeout=30) == b"x" * 10


@pytest.mark.parametrize("length", ["11", "9" * 18, "9" * 19, "9" * 6000])
async def test_too_much_is_refused_unread(length: str) -> None:
    assert await refusal(request(length=length)) == (413, "too-large")


async def test_what_was_not_declared_is_cut() -> None:
    assert await refusal(request(b"x" * 6, b"x" * 5, more=True)) == (413, "too-large")
    assert await refusal(request(b"x" * 11, more=True, length="3")) == (413, "too-large")


@pytest.mark.parametrize("length", ["", "-1", "+1", "1.0", "1_0", " 1", "\u00b2"])
async def test_a_length_that_is_no_number(length: str) -> None:
    assert await refusal(request(b"", length=length)) == (400, "malformed-length")


async def test_a_client_that_goes_away() -> None:
    assert await refusal(request(b"x", None)) == (400, "disconnected")


@pytest.mark.parametrize("parts", [(), (b"x",)])
async def test_a_body_that_does_not_arrive(parts: tuple[bytes, ...]) -> None:
    assert await refusal(request(*parts, more=True), timeout=0.01) == (408, "slow-body")
    task = asyncio.current_task()
    assert task
    assert task.cancelling() == 0


@pytest.mark.parametrize("cancel", [lambda task: task.cancel(), lambda task: task.cancel("stop")])
async def test_who_cancels_the_reader_is_obeyed(
    cancel: Callable[[asyncio.Task[bytes]], bool],
) -> None:
    task = asyncio.create_task(read_body(request(more=True), limit=10, timeout=30))
    await asyncio.sleep(0)
    cancel(task)
    with pytest.raises(asyncio.CancelledError):
        await task
