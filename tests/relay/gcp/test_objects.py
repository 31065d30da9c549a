"""Uploads to the embedded Cloud Storage, over a transport that may fail."""

import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import google_crc32c
import httpx2
import pytest
from google.auth.exceptions import DefaultCredentialsError

from localcloud.core.clock import ManualClock
from localcloud.storage import Objects, application
from localcloud.storage.objects import Refused
from relay.errors import Unavailable
from relay.gcp.objects import HOST, AccessToken, Bucket, Stored, create_bucket

Answer = httpx2.Response | Exception | None
Strike = Callable[[httpx2.Request, httpx2.Response | None], Answer]
"""Sees a request before it is answered, and again with its answer; what it returns counts."""


@dataclass
class Storage(httpx2.AsyncBaseTransport):
    """An embedded Cloud Storage; `strikes` are used up one by one, and a None strikes not."""

    objects: Objects = field(default_factory=lambda: Objects(ManualClock()))
    strikes: list[Strike | None] = field(default_factory=list)
    requests: list[httpx2.Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._inner = httpx2.ASGITransport(application(self.objects, {"results"}))
        self.bucket = Bucket("results", "http://storage", transport=self)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        strike = self.strikes.pop(0) if self.strikes else None
        answer = strike(request, None) if strike else None
        if answer is None:
            response = await self._inner.handle_async_request(request)
            answer = (strike(request, response) if strike else None) or response
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def spans(self) -> list[str]:
        return [
            f"{request.method} {request.headers.get('content-range', '')}".strip()
            for request in self.requests
        ]

    def content(self, name: str = "a/b.jsonl") -> bytes:
        return self.objects.get("results", name).content


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Storage:
    monkeypatch.setattr("relay.gcp.objects.PIECE", 256 << 10)
    monkeypatch.setattr("relay.gcp.objects._PAUSE_SECONDS", 0.0)
    return Storage()


async def chunks(*parts: bytes | Exception) -> AsyncIterator[bytes]:
    for part in parts:
        if isinstance(part, Exception):
            raise part
        yield part


def crc(content: bytes) -> str:
    return base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()


async def create(storage: Storage, *parts: bytes | Exception) -> Stored:
    return await storage.bucket.create("a/b.jsonl", "application/jsonl", chunks(*parts))


KIB = b"0123456789abcdef" * 64


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"",),
        (b"a",),
        (KIB * 256,),
        (KIB * 256, b"a"),
        (KIB * 511, KIB),
        (KIB * 100, KIB * 100, KIB * 100, b"b"),
        (KIB * 2000,),
    ],
    ids=lambda parts: f"{len(parts)} parts of {sum(map(len, parts))}",
)
async def test_an_object_is_stored_byte_for_byte(storage: Storage, parts: tuple[bytes]) -> None:
    content = b"".join(parts)
    stored = await create(storage, *parts)
    assert stored == Stored(len(content), crc(content), made=True)
    assert storage.content() == content
    assert (
        storage.objects.get("results", "a/b.jsonl").resource["contentType"] == "application/jsonl"
    )


async def test_what_is_sent(storage: Storage) -> None:
    await create(storage, KIB * 600)
    assert storage.spans == [
        "POST",
        "PUT bytes 0-262143/*",
        "PUT bytes 262144-524287/*",
        "PUT bytes 524288-614399/614400",
    ]
    begin, *_, last = storage.requests
    assert begin.url.params["ifGenerationMatch"] == "0"
    assert last.headers["x-goog-hash"] == f"crc32c={crc(KIB * 600)}"


async def test_an_object_that_is_there_stays(storage: Storage) -> None:
    await create(storage, b"first")
    assert await create(storage, b"second") == Stored(6, crc(b"second"), made=False)
    assert storage.content() == b"first"


async def test_one_that_is_known_to_be_there_is_not_sent(storage: Storage) -> None:
    storage.strikes = [lambda _request, _response: httpx2.Response(412)]
    content = KIB * 600
    assert await create(storage, content) == Stored(len(content), crc(content), made=False)
    assert storage.spans == ["POST"]


class Cut(Exception):
    pass


@pytest.mark.parametrize("before", [b"", b"a", KIB * 600])
async def test_bytes_that_break_off_leave_no_object(storage: Storage, before: bytes) -> None:
    with pytest.raises(Cut):
        await create(storage, before, Cut())
    assert storage.spans[-1] == "DELETE"
    with pytest.raises(Refused):
        storage.content()
    # Nothing is kept that would hinder the next attempt.
    assert (await create(storage, b"all")).made


def lost(request: httpx2.Request, response: httpx2.Response | None) -> Answer:
    """The reply is lost, though the request had its effect."""
    return httpx2.ReadError("lost", request=request) if response else None


def unreachable(request: httpx2.Request, _response: httpx2.Response | None) -> Answer:
    return httpx2.ConnectError("down", request=request)


def refused(status: int) -> Strike:
    return lambda _request, _response: httpx2.Response(status)


def halved(request: httpx2.Request, response: httpx2.Response | None) -> Answer:
    """Only the first half of a piece is stored."""
    if response is None:
        half = request.content[: len(request.content) // 2]
        first = int(request.headers["content-range"].split()[1].split("-")[0])
        request.headers["content-range"] = f"bytes {first}-{first + len(half) - 1}/*"
        request.headers["content-length"] = str(len(half))
        request.stream = httpx2.ByteStream(half)
    return None


@pytest.mark.parametrize("strike", [lost, unreachable, refused(503), refused(429), refused(408)])
@pytest.mark.parametrize("number", range(4))
async def test_a_request_that_fails_for_now_is_made_good(
    storage: Storage, strike: Strike, number: int
) -> None:
    storage.strikes = [*[None] * number, strike]
    content = KIB * 600
    stored = await create(
        storage, *[content[start : start + 1000] for start in range(0, len(content), 1000)]
    )
    assert stored == Stored(len(content), crc(content), made=True)
    assert storage.content() == content


async def test_a_piece_that_is_stored_in_part_is_completed(storage: Storage) -> None:
    storage.strikes = [None, halved]
    monkey = KIB * 1100
    # Half of 256 KiB is no part that an upload may have.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("relay.gcp.objects.PIECE", 512 << 10)
        assert (await create(storage, monkey)).made
    assert storage.content() == monkey
    assert storage.spans[1:4] == [
        "PUT bytes 0-262143/*",
        "PUT bytes 262144-524287/*",
        "PUT bytes 524288-1048575/*",
    ]


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("strike", [unreachable, refused(500)])
async def test_what_goes_on_failing_is_put_off(
    storage: Storage, number: int, strike: Strike
) -> None:
    storage.strikes = [*[None] * number, *[strike] * 4]
    with pytest.raises(Unavailable, match="storage"):
        await create(storage, KIB * 600)
    with pytest.raises(Refused):
        storage.content()


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 410])
async def test_a_refusal_is_not_repeated(storage: Storage, number: int, status: int) -> None:
    storage.strikes = [*[None] * number, refused(status)]
    with pytest.raises(Unavailable, match=f"storage-{status}"):
        await create(storage, KIB * 600)
    puts = [span for span in storage.spans if span != "DELETE"]
    assert len(puts) == number + 1


def spoilt(request: httpx2.Request, response: httpx2.Response | None) -> Answer:
    """A piece does not arrive as it was sent."""
    if response is None:
        request.stream = httpx2.ByteStream(request.content[:-1] + b"!")
    return None


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_bytes_that_are_spoilt_on_the_way_leave_no_object(
    storage: Storage, number: int
) -> None:
    storage.strikes = [*[None] * number, spoilt]
    with pytest.raises(Unavailable, match="storage-400"):
        await create(storage, KIB * 600)
    with pytest.raises(Refused):
        storage.content()


@pytest.mark.parametrize(
    "answer",
    [
        {"crc32c": "AAAAAA==", "size": "1"},
        {"crc32c": crc(b"a"), "size": "2"},
        {"crc32c": crc(b"a"), "size": 1},
        [],
        None,
    ],
)
async def test_another_checksum_is_an_error(storage: Storage, answer: Any) -> None:
    content = {"content": b"<html>"} if answer is None else {"json": answer}
    storage.strikes = [None, lambda _request, _response: httpx2.Response(200, **content)]
    with pytest.raises(Unavailable, match="storage-checksum"):
        await create(storage, b"a")


async def test_a_session_without_an_address_is_an_error(storage: Storage) -> None:
    storage.strikes = [refused(200)]
    with pytest.raises(Unavailable):
        await create(storage, b"a")


async def test_more_than_was_sent_cannot_be_stored(storage: Storage) -> None:
    headers = {"range": "bytes=0-999999999"}
    storage.strikes = [None, lambda _request, _response: httpx2.Response(308, headers=headers)]
    with pytest.raises(Unavailable, match="storage-upload"):
        await create(storage, KIB * 600)


async def test_a_bucket_that_does_not_exist_is_an_error(storage: Storage) -> None:
    bucket = Bucket("elsewhere", "http://storage", transport=storage)
    with pytest.raises(Unavailable, match="storage-404"):
        await bucket.create("a", "text/plain", chunks(b"a"))


async def test_the_token_is_sent_to_begin_alone(storage: Storage) -> None:
    async def token() -> str:
        return "ya29.token"

    bucket = Bucket("results", "http://storage", token, storage)
    await bucket.create("a", "text/plain", chunks(b"a"))
    begin, rest = storage.requests
    assert begin.headers["authorization"] == "Bearer ya29.token"
    assert "authorization" not in rest.headers
    await bucket.close()


LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass
class Credentials:
    """What the metadata server gives: a token for an hour."""

    token: str = ""
    expiry: datetime = LONG_AGO
    renewals: int = 0

    @property
    def valid(self) -> bool:
        return self.expiry > datetime.now(UTC)

    def refresh(self, _request: object) -> None:
        self.renewals += 1
        self.token = f"token-{self.renewals}"
        self.expiry = datetime.now(UTC) + timedelta(hours=1)


async def test_a_token_is_renewed_when_it_has_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = Credentials()
    scopes = []

    def default(**options: Any) -> Any:
        scopes.append(options["scopes"])
        return credentials, "my-project"

    monkeypatch.setattr("google.auth.default", default)
    token = AccessToken()
    assert [await token() for _ in range(3)] == ["token-1"] * 3
    credentials.expiry = LONG_AGO
    assert await token() == "token-2"
    assert scopes == [("https://www.googleapis.com/auth/devstorage.read_write",)]


async def test_without_credentials_an_upload_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def default(**_options: Any) -> Any:
        raise DefaultCredentialsError("none")

    monkeypatch.setattr("google.auth.default", default)
    with pytest.raises(Unavailable, match="credentials"):
        await AccessToken()()


@pytest.mark.parametrize(
    ("emulator", "host"),
    [
        ("", HOST),
        ("127.0.0.1:9023", "http://127.0.0.1:9023"),
        ("http://127.0.0.1:9023/as/serviceAccount:x", "http://127.0.0.1:9023/as/serviceAccount:x"),
    ],
)
def test_the_emulator_is_used_where_there_is_one(emulator: str, host: str) -> None:
    bucket = create_bucket({"STORAGE_EMULATOR_HOST": emulator}, "results")
    assert (bucket.name, bucket._host) == ("results", host)
    assert isinstance(bucket._token, AccessToken) is (not emulator)
