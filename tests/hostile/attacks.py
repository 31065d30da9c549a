"""The catalogue of attacks, and an endless, seeded choice from it."""

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.hostile import shapes
from tests.hostile.signers import Signer, b64
from tests.hostile.wire import Attack, chunked, post

EVENT: dict[str, Any] = {"type": "batch.succeeded", "version": "v1", "data": {"id": "batch_1"}}
_BODY = json.dumps(EVENT).encode()
_OVERSIZE = 262_144 + 1
_PRINTABLE = bytes(range(0x21, 0x7F))

_TIMESTAMPS = (
    b"", b" ", b"-1", b"+5", b"1_795", b"1.79e9", b"1795000000.0", b"0x10", b"9" * 15, b"9" * 16,
    b"9" * 5000, b"NaN", b"\xd9\xa1\xd9\xa2", b"1795000000 ", b"\xff", b"0", b"00000000001",
)  # fmt: skip
_IDENTIFIERS = (
    b"", b" ", b"a b", b"i" * 257, b"i" * 40_000, b"\xc3\xa9", b"\xff\xfe", b"a\tb", b"\x80",
)  # fmt: skip
_METHODS = (b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"PROPFIND", b"PURGE", b"LINK")
_TARGETS = (
    b"/admin", b"//", b"/%2e%2e/%00", b"/?" + b"q=1&" * 5000, b"/" + b"a" * 60_000, b"http://relay/x",
    b"/a;b;c", b"/%ff%fe", b"/?%00", b"/robots.txt", b"/favicon.ico", b"/.env", b"/error",
)  # fmt: skip
_BOMBS = (
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"type":"batch.succeeded","data":' + b"9" * 200_000 + b"}",
    b'{"type":"batch.succeeded","type":"other"}',
    b'{"type":1e999}',
    b'{"a":NaN}',
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b'"\\ud800"',
    b"{" + b",".join(b'"k%d":0' % number for number in range(20_000)) + b"}",
    b"\x00" * 1000,
    b"\x1f\x8b\x08" + b"\x00" * 200,
)


class Attacks:
    """Makes attacks; the same seed makes the same choices (genuine times and keys differ)."""

    def __init__(self, signer: Signer, chance: random.Random) -> None:
        self._signer = signer
        self._chance = chance
        self._made = 0

    def __iter__(self) -> Iterator[Attack]:
        """Yield attacks for ever, kinds in proportion to their weights."""
        kinds = list(_CATALOGUE)
        weights = [weight for weight, _ in _CATALOGUE.values()]
        while True:
            for kind in self._chance.choices(kinds, weights, k=1000):
                yield _CATALOGUE[kind][1](self, kind)

    def _new_id(self) -> bytes:
        self._made += 1
        return b"hostile-%d" % self._made

    def _pick(self, choices: Sequence[bytes]) -> bytes:
        return self._chance.choice(choices)

    def _delivery(
        self,
        signature: bytes,
        *,
        identifier: bytes | None = None,
        timestamp: bytes | None = None,
    ) -> list[tuple[bytes, bytes]]:
        return [
            (b"webhook-id", self._new_id() if identifier is None else identifier),
            (b"webhook-timestamp", _now() if timestamp is None else timestamp),
            (b"webhook-signature", signature),
        ]

    def forged(self, kind: str) -> Attack:
        """A list of entries in good form, none of which is right."""
        signer, chance = self._signer, self._chance
        content = b"%b.%b.%b" % (self._new_id(), _now(), _BODY)
        entries = [
            signer.v1(content, genuine=False),
            b"v1," + b64(chance.randbytes(32)),
            signer.v1a(content, genuine=False),
            b"v1a," + b64(chance.randbytes(64)) + b"==",
            b"v9," + b64(chance.randbytes(32)),
        ]
        chosen = chance.sample(entries, chance.randrange(1, 4))
        return Attack(kind, post(self._delivery(b" ".join(chosen)), _BODY))

    def tampered(self, kind: str) -> Attack:
        """A genuine signature, and something else than it signs."""
        signer, chance = self._signer, self._chance
        identifier, timestamp = self._new_id(), _now()
        content = b"%b.%b.%b" % (identifier, timestamp, _BODY)
        sign = chance.choice([signer.v1, signer.v1a])
        signature, body = sign(content), _BODY
        match chance.randrange(8):
            case 0:
                body += b" "
            case 1:
                body = body.replace(b"batch_1", b"batch_2")
            case 2:
                identifier += b"x"
            case 3:
                timestamp = b"%d" % (int(timestamp) + 1)
            case 4:
                signature = b"v2" + signature[2:]
            case 5:
                version, _, value = signature.partition(b",")
                signature = (b"v1a," if version == b"v1" else b"v1,") + value
            case 6:
                signature = signature[: chance.randrange(5, len(signature) - 2)]
            case _:
                # The same bytes, cut elsewhere.
                identifier, timestamp = identifier + b"." + timestamp, b"1"
        headers = self._delivery(signature, identifier=identifier, timestamp=timestamp)
        return Attack(kind, post(headers, body))

    def late(self, kind: str) -> Attack:
        """Genuine, but of another time."""
        identifier = self._new_id()
        shift = self._chance.choice([-1, 1]) * self._chance.randrange(330, 10**8)
        timestamp = b"%d" % (int(time.time()) + shift)
        content = b"%b.%b.%b" % (identifier, timestamp, _BODY)
        signature = self._chance.choice([self._signer.v1, self._signer.v1a])(content)
        headers = self._delivery(signature, identifier=identifier, timestamp=timestamp)
        return Attack(kind, post(headers, _BODY))

    def flood(self, kind: str) -> Attack:
        """Hundreds of entries, a genuine one beyond those that are looked at."""
        chance = self._chance
        identifier, timestamp = self._new_id(), _now()
        content = b"%b.%b.%b" % (identifier, timestamp, _BODY)
        entries = [
            chance.choice([b"v1,", b"v1a,"]) + b64(chance.randbytes(chance.choice([32, 64])))
            for _ in range(chance.choice([16, 50, 140]))
        ]
        signature = b" ".join([*entries, self._signer.v1(content)])
        headers = self._delivery(signature, identifier=identifier, timestamp=timestamp)
        return Attack(kind, post(headers, _BODY))

    def doubled(self, kind: str) -> Attack:
        """Genuine, but one of the headers is there twice."""
        identifier, timestamp = self._new_id(), _now()
        signature = self._signer.v1(b"%b.%b.%b" % (identifier, timestamp, _BODY))
        headers = self._delivery(signature, identifier=identifier, timestamp=timestamp)
        name, value = self._chance.choice(headers)
        other = self._chance.choice([value, value + b"x", b""])
        headers.insert(self._chance.randrange(4), (name.title(), other))
        return Attack(kind, post(headers, _BODY))

    def odd_headers(self, kind: str) -> Attack:
        """The three headers, one of them out of form, or missing."""
        chance = self._chance
        identifier, timestamp = self._new_id(), _now()
        headers = dict(self._delivery(self._signer.v1(b""), identifier=identifier))
        match chance.randrange(4):
            case 0:
                headers[b"webhook-timestamp"] = self._pick(_TIMESTAMPS)
            case 1:
                headers[b"webhook-id"] = self._pick(_IDENTIFIERS)
            case 2:
                junk = bytes(chance.choices(_PRINTABLE + b" ,,..==", k=chance.randrange(1, 3000)))
                headers[b"webhook-signature"] = chance.choice(
                    [junk, b"", b" ", b"," * 900, b" " * 900, b"v1," * 400, b"\xff", b"x" * 30_000]
                )
            case _:
                del headers[chance.choice(list(headers))]
        headers[b"x-at"] = timestamp
        return Attack(kind, post(headers.items(), _BODY))

    def many_headers(self, kind: str) -> Attack:
        """Headers in number, or of a size, that nobody needs; within what a server takes."""
        chance = self._chance
        extra = chance.choice(
            [
                [(b"x-%d" % number, b"v") for number in range(chance.randrange(10, 80))],
                [(b"x-long", b"v" * chance.choice([1000, 8000, 20_000]))],
                [(b"cookie", b"a=b; " * 500)],
                [(b"traceparent", chance.choice([b"00-" + b"0" * 32, b"\xff", b"x" * 5000]))] * 3,
                [(b"x" * 3000, b"")],
                [(b"accept-encoding", b"gzip;q=" + b"0" * 3000)],
                [(b"content-encoding", b"gzip"), (b"content-type", b"text/html; charset=\xff")],
                [(b"x-forwarded-for", b"1.1.1.1, " * 300), (b"x-forwarded-proto", b"\x80")],
                [(b"forwarded", b"for=unknown"), (b"authorization", b"Bearer " + b"a." * 300)],
                [(b"x-cloud-trace-context", b"%"), (b"function-execution-id", b"\xff" * 50)],
            ]
        )
        return Attack(kind, post([*extra, *self._delivery(b"v1,AAAA")], _BODY))

    def headers_without_end(self, kind: str) -> Attack:
        """More headers than any server should hold; cut off before they end."""
        line = b"x-filler: " + b"f" * self._chance.choice([10, 1000, 15_000]) + b"\r\n"
        count = 400_000 // len(line)
        return Attack(kind, b"POST / HTTP/1.1\r\n" + line * count, framed=False, last=True)

    def token(self, kind: str) -> Attack:
        """A token that nobody has signed, or somebody else."""
        signer = self._signer
        make: Callable[[], bytes] = self._chance.choice(
            [
                lambda: signer.unsigned(EVENT),
                lambda: signer.confused(EVENT),
                lambda: signer.foreign(EVENT),
                lambda: signer.foreign(EVENT),
                lambda: signer.token("stranger", EVENT, genuine=False),
                signer.junk_token,
            ]
        )
        body = self._chance.choice([_BODY, b""])
        return Attack(kind, post(self._delivery(make()), body))

    def genuine_token(self, kind: str) -> Attack:
        """A token that Gemini has signed, for something else than what it comes with."""
        now = time.time()
        name, claims, body = self._chance.choice(
            [
                ("other-audience", {**EVENT, "aud": "https://somebody.else/"}, _BODY),
                ("no-audience", {**EVENT, "aud": None}, _BODY),
                ("expired", {**EVENT, "exp": now - 90}, _BODY),
                ("old", {**EVENT, "iat": now - 4000}, _BODY),
                ("not-yet", {**EVENT, "nbf": now + 9000}, _BODY),
                ("nan", {**EVENT, "iat": float("nan")}, _BODY),
                ("huge", {**EVENT, "exp": 10**400}, b"{"),
                ("no-type", {"data": {}}, b'{"data":{}}'),
                ("other-body", EVENT, _BODY.replace(b"batch_1", b"batch_2")),
                ("other-body", EVENT, _BODY[:-1] + b',"type":"batch.succeeded"}'),
                ("other-body", EVENT, self._pick(_BOMBS)),
            ]
        )
        return Attack(kind, post(self._delivery(self._signer.token(name, claims)), body))

    def bomb(self, kind: str) -> Attack:
        """A body that costs whoever parses it before it is proven."""
        return Attack(kind, post(self._delivery(b"v1," + b64(b"x" * 32)), self._pick(_BOMBS)))

    def oversize(self, kind: str) -> Attack:
        """More than the cap: declared, in chunks, or declared and not sent."""
        headers = self._delivery(b"v1,AAAA")
        match self._chance.randrange(3):
            case 0:
                return Attack(kind, post(headers, b"x" * _OVERSIZE), last=True)
            case 1:
                return Attack(kind, chunked(headers, [b"x" * 65_536] * 5), last=True)
            case _:
                return Attack(kind, post(headers, length=b"9" * 12), last=True)

    def dotted(self, kind: str) -> Attack:
        """An old genuine signature, its `id.timestamp.body` read with the split elsewhere."""
        # Gemini signed `id.old.body`; the time of today stands in the body's place, or in the id.
        identifier, old, now = self._new_id(), b"%d" % (int(time.time()) - 10**6), _now()
        body = b"%b.%b" % (now, _BODY)
        signer = self._chance.choice([self._signer.v1, self._signer.v1a])
        signature = signer(b"%b.%b.%b" % (identifier, old, body))
        headers = self._delivery(signature, identifier=b"%b.%b" % (identifier, old), timestamp=now)
        return Attack(kind, post(headers, _BODY))

    def in_chunks(self, kind: str) -> Attack:
        """A forgery in chunks, with extensions and trailers."""
        size = self._chance.choice([1, 7, 1000])
        chunks = [_BODY[start : start + size] for start in range(0, len(_BODY), size)]
        extension = self._chance.choice([b"", b";a=b", b';a="b c"', b";" + b"e" * 1000])
        trailer = self._chance.choice([b"", b"webhook-id: t\r\n", b"x: y\r\n" * 20])
        headers = self._delivery(b"v1,AAAA")
        return Attack(kind, chunked(headers, chunks, extension=extension, trailer=trailer))

    def method(self, kind: str) -> Attack:
        """Another method, or another path."""
        if self._chance.random() < 0.5:
            return Attack(kind, post([], b"", method=self._pick(_METHODS)))
        return Attack(kind, post(self._delivery(b"v1,AAAA"), _BODY, target=self._pick(_TARGETS)))

    def expecting(self, kind: str) -> Attack:
        """Waits for leave to send, and sends nothing or at once."""
        length = self._chance.choice([None, b"300000"])
        headers = [(b"expect", self._chance.choice([b"100-continue", b"200-ok", b"\xff"]))]
        data = post([*headers, *self._delivery(b"v1,AAAA")], _BODY, length=length)
        return Attack(kind, data, last=length is not None)

    def _shaped(self, kind: str) -> Attack:
        return Attack(kind, _SHAPES[kind](self._chance), framed=False, last=True)


_SHAPES: dict[str, Callable[[random.Random], bytes]] = {
    "lengths": shapes.lengths,
    "chunks": shapes.chunks,
    "request-lines": shapes.request_lines,
    "header-lines": shapes.header_lines,
    "line-ends": shapes.line_ends,
    "noise": shapes.noise,
    "truncated": shapes.truncated,
    "upgrade": shapes.upgrade,
}

_Make = Callable[[Attacks, str], Attack]
_CATALOGUE: dict[str, tuple[int, _Make]] = {
    "forged": (160, Attacks.forged),
    "tampered": (160, Attacks.tampered),
    "late": (60, Attacks.late),
    "entry-flood": (50, Attacks.flood),
    "doubled-header": (60, Attacks.doubled),
    "odd-header": (120, Attacks.odd_headers),
    "many-headers": (60, Attacks.many_headers),
    "endless-headers": (2, Attacks.headers_without_end),
    "token": (120, Attacks.token),
    "genuine-token": (60, Attacks.genuine_token),
    "bomb": (15, Attacks.bomb),
    "oversize": (6, Attacks.oversize),
    "dotted-id": (60, Attacks.dotted),
    "in-chunks": (40, Attacks.in_chunks),
    "method": (40, Attacks.method),
    "expecting": (10, Attacks.expecting),
    **dict.fromkeys(_SHAPES, (6, Attacks._shaped)),
}
KINDS = tuple(_CATALOGUE)
UNFRAMED = frozenset({*_SHAPES, "endless-headers"})
"""Kinds that are no well-formed request."""


def _now() -> bytes:
    return b"%d" % int(time.time())
