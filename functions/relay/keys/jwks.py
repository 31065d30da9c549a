"""Gemini's public keys, fetched as a JSON Web Key Set."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from relay.keys.cache import Loaded, Pace
from relay.keys.keyset import KeySet, parse_key_set

if TYPE_CHECKING:
    import httpx2

GOOGLE_JWKS_URI = "https://generativelanguage.googleapis.com/.well-known/jwks.json"

JWKS_PACE = Pace(stale=24 * 3600.0)
"""A day without the endpoint is survived; a key that was withdrawn serves no longer than that and
the lifetime of the set that held it."""

_LARGEST = 256 * 1024
_DEFAULT_LIFETIME, _SHORTEST_LIFETIME, _LONGEST_LIFETIME = 3600.0, 60.0, 6 * 3600.0
_AGE = re.compile(r"[0-9]{1,9}")
_MAX_AGE = re.compile(r'(?:^|[\s,])max-age\s*=\s*"?([0-9]{1,9})\b', re.IGNORECASE)


class JwksError(Exception):
    """The endpoint answered, but not with a key set that can be used."""


class JwksLoader:
    """Fetches the set at `uri`, with its RSA keys if `rsa`, over `transport` or the network."""

    def __init__(
        self, uri: str, *, rsa: bool, transport: "httpx2.AsyncBaseTransport | None" = None
    ) -> None:
        self._uri = uri
        self._rsa = rsa
        self._transport = transport

    async def __call__(self) -> Loaded[KeySet]:
        """Fetch the set once.

        Raises `JwksError` or `ValueError` for an answer that cannot be used, and the client's own
        errors where there is none. Redirects are not followed, and nothing compressed is unpacked.
        """
        # Imported when a delivery first needs a public key: it takes as long as 20 ms.
        import httpx2

        headers = {"accept": "application/json", "accept-encoding": "identity"}
        # A client each time: no connection would live until the next.
        async with (
            httpx2.AsyncClient(timeout=2.0, transport=self._transport) as client,
            client.stream("GET", self._uri, headers=headers) as response,
        ):
            if response.status_code != 200 or "content-encoding" in response.headers:
                raise JwksError(f"answered {response.status_code}")
            document = await _read(response)
        return Loaded(parse_key_set(document, rsa=self._rsa), lifetime(response.headers))


def lifetime(headers: Mapping[str, str]) -> float:
    """Return for how many seconds an answer is fresh, within a minute and six hours.

    That is `max-age` less the `Age` that it has spent in caches (RFC 9111, section 4.2).
    """
    found = _MAX_AGE.search(headers.get("cache-control", ""))
    seconds = float(found[1]) if found else _DEFAULT_LIFETIME
    if _AGE.fullmatch(age := headers.get("age", "").strip()):
        seconds -= float(age)
    return min(max(seconds, _SHORTEST_LIFETIME), _LONGEST_LIFETIME)


async def _read(response: "httpx2.Response") -> bytes:
    document = bytearray()
    async for chunk in response.aiter_raw():
        document += chunk
        if len(document) > _LARGEST:
            raise JwksError("too large")
    return bytes(document)
