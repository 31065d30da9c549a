"""HTTP/1.1 requests as bytes: nothing is checked, since much of it is meant to be wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Attack:
    """What one attack sends.

    `framed`: it is one well-formed request, and must be answered once. Of anything else the answer
    is the server's, if it answers at all. `last`: the connection is of no use after it.
    """

    kind: str
    data: bytes
    framed: bool = True
    last: bool = False


def post(
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes = b"",
    *,
    method: bytes = b"POST",
    target: bytes = b"/",
    length: bytes | None = None,
) -> bytes:
    """Return a request with a `content-length`, the right one unless `length` says otherwise."""
    declared = b"%d" % len(body) if length is None else length
    lines = [b"%b %b HTTP/1.1" % (method, target), b"host: relay", b"content-length: " + declared]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", body])


def chunked(
    headers: Iterable[tuple[bytes, bytes]],
    chunks: Iterable[bytes],
    *,
    extension: bytes = b"",
    trailer: bytes = b"",
) -> bytes:
    """Return a request whose body comes in chunks."""
    lines = [b"POST / HTTP/1.1", b"host: relay", b"transfer-encoding: chunked"]
    lines += [name + b": " + value for name, value in headers]
    parts = [b"\r\n".join([*lines, b"", b""])]
    parts += [b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks if chunk]
    return b"".join([*parts, b"0\r\n", trailer, b"\r\n"])
