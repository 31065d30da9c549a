import pytest

from localcloud.runner.exchange import Exchange

GET = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")
POST = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nbody"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NONE = b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n"
HEADS = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("requests", "answers"),
    [
        ([GET], [OK]),
        ([POST], [NONE]),
        ([HEAD], [HEADS]),
        ([GET], [b"HTTP/1.1 100 Continue\r\n\r\n" + OK]),
        ([GET, HEAD, GET], [OK, HEADS, NONE]),
        ([b"\r\n" + GET], [OK]),
        ([POST], [OK.replace(b"2\r", b"0\r").removesuffix(b"ok")]),
    ],
)
def test_requests_are_in_flight_until_the_last_is_answered(
    requests: list[bytes], answers: list[bytes], size: int
) -> None:
    exchange = Exchange()
    assert not exchange.in_flight
    # Twice on one connection.
    for _ in range(2):
        for part in parts(b"".join(requests), size):
            exchange.sent(part)
            assert exchange.in_flight
        *most, last = parts(b"".join(answers), size)
        for part in most:
            exchange.received(part)
            assert exchange.in_flight
        exchange.received(last)
        assert not exchange.in_flight


def parts(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def test_a_request_whose_rest_is_yet_to_come_is_in_flight_though_answered() -> None:
    exchange = Exchange()
    exchange.sent(POST[:-1])
    exchange.received(OK)
    assert exchange.in_flight
    exchange.sent(POST[-1:])
    assert not exchange.in_flight


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"no request\r\n\r\n", b""),
        (b"GET / HTTP/1.0\r\nhost: h\r\n\r\n", OK),
        (GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"), OK),
        (GET.replace(b"\r\n\r\n", b"\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"), OK),
        (GET, OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")),
        (GET, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        (GET, OK + b"HTTP/1.1 408 Request Timeout\r\n\r\n"),
        (b"\r\n\r\n", b""),
    ],
)
def test_where_framing_does_not_tell_a_request_is_in_flight_until_the_connection_ends(
    request_: bytes, answer: bytes
) -> None:
    exchange = Exchange()
    exchange.sent(request_)
    assert exchange.in_flight
    exchange.received(answer)
    assert exchange.in_flight
