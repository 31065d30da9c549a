"""Requests that are wrong as HTTP, or that two servers would read in two ways."""

import random

from tests.hostile.wire import post

_SMUGGLED = b"POST /admin HTTP/1.1\r\nhost: inside\r\ncontent-length: 0\r\n\r\n"
_CHUNKED = b"transfer-encoding: chunked"

_LENGTHS = (
    b"-1", b"+5", b"0x10", b"5 5", b"5,5", b"1e3", b"", b" ", b"9" * 30, b"18446744073709551616",
    b"18446744073709551615", b"9223372036854775808", b"\xd9\xa3", b"5;a", b"5\x00",
)  # fmt: skip
_ENCODINGS = (
    b"chunked, chunked", b"identity", b"xchunked", b"chunked;q=1", b"\x0bchunked", b"chunked, gzip",
    b"gzip, chunked", b'"chunked"', b"CHUNKED", b"chunked\x00", b"cow",
)  # fmt: skip
_CHUNKS = (
    b"-5\r\nabcde\r\n0\r\n\r\n",
    b"FFFFFFFFFFFFFFFFFF\r\nabcde",
    b"ffffffffffffffff\r\nabcde",
    b"5\nabcde\n0\n\n",
    b'5;ext="\n"\r\nabcde\r\n0\r\n\r\n',
    b"5;" + b"e" * 70_000 + b"\r\nabcde\r\n0\r\n\r\n",
    b"5\r\nabcdefgh\r\n0\r\n\r\n",
    b"5 \r\nabcde\r\n0\r\n\r\n",
    b"0x5\r\nabcde\r\n0\r\n\r\n",
    b"\r\n0\r\n\r\n",
    b"0\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
    b"0\r\n" + b"t: v\r\n" * 2000 + b"\r\n",
    b"0\r\nwebhook-id: trailer\r\n\r\n",
)
_LINES = (
    b"POST / HTTP/9.9", b"POST / HTTP/0.9", b"POST /", b"POST  / HTTP/1.1", b"post / HTTP/1.1",
    b"PRI * HTTP/2.0", b"CONNECT relay:443 HTTP/1.1", b"OPTIONS * HTTP/1.1", b"POST * HTTP/1.1",
    b"POST http:// HTTP/1.1", b"POST http://[::1 HTTP/1.1", b"POST /\xff\xfe HTTP/1.1",
    b"POST /\x00 HTTP/1.1", b"POST /%zz%00%ff HTTP/1.1", b"GET http://relay:99999/ HTTP/1.1",
    b"POST http://relay/ HTTP/1.1 extra", b"BREW / HTTP/1.1", b"QUERY / HTTP/1.1", b" / HTTP/1.1",
    b"HEAD / HTTP/1.1", b"TRACE / HTTP/1.1", b"POST /../../etc/passwd HTTP/1.1", b"GET ? HTTP/1.1",
)  # fmt: skip
_HEADER_LINES = (
    b"no colon at all", b": no name", b"a b: c", b"a\t: c", b"x: a\rb", b"x: a\x00b", b"x\x00: a",
    b"content-length : 5", b"x: 1\r\n folded: value", b"x: 1\r\n\tfolded", b"\x80\x81: x",
    b"x: \x7f\x01", b"webhook-id: a\r\n webhook-id: b", b"(x): y", b"x: y\nz: w",
)  # fmt: skip


def lengths(chance: random.Random) -> bytes:
    """Return a request with a length that is none, two of them, or a length and chunks."""
    body = b"0\r\n\r\n" + _SMUGGLED
    match chance.randrange(5):
        case 0:
            return post([], body, length=chance.choice(_LENGTHS))
        case 1:
            return post([(b"content-length", chance.choice([b"0", b"5", b"6", b"4"]))], body)
        case 2:
            return post([(b"transfer-encoding", chance.choice(_ENCODINGS))], body)
        case 3:
            return post([(b"transfer-encoding", b"chunked")], body, length=b"4")
        case _:
            return post(
                [(b"transfer-encoding", b"chunked"), (b"Transfer-Encoding", b"identity")], body
            )


def chunks(chance: random.Random) -> bytes:
    """Return a request whose chunks are wrong, or hold another request."""
    return b"POST / HTTP/1.1\r\nhost: relay\r\n%b\r\n\r\n%b" % (_CHUNKED, chance.choice(_CHUNKS))


def request_lines(chance: random.Random) -> bytes:
    """Return a request whose first line is odd."""
    return chance.choice(_LINES) + b"\r\nhost: relay\r\ncontent-length: 0\r\n\r\n"


def header_lines(chance: random.Random) -> bytes:
    """Return a request with a header that is none, or is folded over two lines."""
    line = chance.choice(_HEADER_LINES)
    return b"POST / HTTP/1.1\r\nhost: relay\r\n%b\r\ncontent-length: 0\r\n\r\n" % line


def line_ends(chance: random.Random) -> bytes:
    """Return a request with other line ends than CRLF."""
    end = chance.choice([b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n\n"])
    return end.join([b"POST / HTTP/1.1", b"host: relay", b"content-length: 0", b"", b""])


def noise(chance: random.Random) -> bytes:
    """Return what is no HTTP at all."""
    length = chance.randrange(1, 4000)
    return chance.choice(
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(500),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + chance.randbytes(60),
            chance.randbytes(length),
            b"\r\n" * length,
            b"\x00" * length,
            b"A" * (20 * length),
        ]
    )


def truncated(chance: random.Random) -> bytes:
    """Return the beginning of a request, cut anywhere."""
    whole = post([(b"webhook-id", b"cut"), (b"webhook-timestamp", b"1")], b"x" * 200)
    return whole[: chance.randrange(1, len(whole))]


def upgrade(chance: random.Random) -> bytes:
    """Return a request to go on with another protocol, and what could be its first bytes."""
    protocol = chance.choice([b"websocket", b"h2c", b"TLS/1.0", b"WebSocket, h2c"])
    headers = [
        (b"connection", b"Upgrade"),
        (b"upgrade", protocol),
        (b"sec-websocket-version", chance.choice([b"13", b"99", b"x"])),
        (b"sec-websocket-key", chance.choice([b"dGhlIHNhbXBsZSBub25jZQ==", b"", b"\xff"])),
    ]
    method = chance.choice([b"GET", b"POST"])
    return post(headers, method=method) + chance.randbytes(chance.randrange(200))
