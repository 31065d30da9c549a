from collections.abc import Iterable
from typing import Any

import pytest
from starlette.requests import Request

from relay import body
from relay.errors import Refused


def request(messages: Iterable[dict[str, Any]], **headers: str) -> Request:
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(waiting)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


def chunks(*parts: bytes) -> list[dict[str, Any]]:
    last = len(parts) - 1
    return [
        {"type": "http.request", "body": part, "more_body": number < last}
        for number, part in enumerate(parts)
    ]


async def test_a_body_in_parts() -> None:
    assert await body.read(request(chunks(b"ab", b"", b"c")), 3) == b"abc"


@pytest.mark.parametrize("length", ["4", "9" * 5000])
async def test_a_declared_length_over_the_limit_is_refused_unread(length: str) -> None:
    with pytest.raises(Refused) as refused:
        await body.read(request([], content_length=length), 3)
    assert refused.value.status == 413


@pytest.mark.parametrize("length", ["", "-1", "four", "²", "1"])
async def test_an_odd_length_does_not_get_a_long_body_through(length: str) -> None:
    with pytest.raises(Refused) as refused:
        await body.read(request(chunks(b"ab", b"cd"), content_length=length), 3)
    assert refused.value.status == 413


async def test_a_sender_who_leaves_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        await body.read(request([*chunks(b"a", b"b")[:1], {"type": "http.disconnect"}]), 3)
    assert refused.value.reason == "disconnected"
