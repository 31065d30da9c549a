"""Gemini's WebhookService, each call made once: what the google-genai SDK 3.x sends and reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from relay.errors import GeminiRefused
from relay.gemini.api import GeminiApi, segment

_PATH = "/v1/webhooks"
_PAGE_SIZE = 1000
_MOST_PAGES = 1000

_SHOWN_ONCE = frozenset({"new_signing_secret", "newSigningSecret"})

_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Webhook:
    """A registered webhook."""

    id: str
    name: str
    uri: str
    events: frozenset[str]
    state: str
    description: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """Everything that Gemini shows of it, in snake_case: times as text, secrets truncated."""


def same_uri(one: str, other: str) -> bool:
    """Tell whether two URIs name the same endpoint, however Gemini or a person spells it.

    Case does not count in the scheme and the host, and neither do the scheme's default port and an
    empty path: https://www.rfc-editor.org/rfc/rfc3986#section-6.2.3
    """
    return one == other or _normalized(one) == _normalized(other)


def _normalized(uri: str) -> tuple[object, ...]:
    try:
        parts = urlsplit(uri)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return (uri,)
    user = parts.netloc.rpartition("@")[0]
    return parts.scheme, user, parts.hostname, port, parts.path or "/", parts.query, parts.fragment


class GeminiWebhooks:
    """The webhooks of an API key's project. It belongs to the event loop that first uses it.

    Every method raises `GeminiRefused`, whose reason holds neither the API key nor a secret. After
    that error the call may have had its effect.
    """

    def __init__(self, *, api_key: str, base_url: str | None) -> None:
        self._api = GeminiApi(api_key=api_key, base_url=base_url)

    async def all(self) -> list[Webhook]:
        """Return every webhook of the project, over all pages."""
        found: list[Webhook] = []
        token = ""
        for _ in range(_MOST_PAGES):
            page, token = await self.page(_PAGE_SIZE, token)
            found += page
            if not token:
                return found
        raise GeminiRefused("Gemini's list of webhooks does not end.")

    async def page(self, size: int | None = None, token: str = "") -> tuple[list[Webhook], str]:
        """Return one page and the token of the next, empty after the last."""
        asked = {"page_size": size, "page_token": token}
        query = {name: value for name, value in asked.items() if value}
        page = _object("list", await self._api.call("list", "GET", _PATH, query=query))
        return [*map(_read, _list(page, "webhooks"))], _text(page, "next_page_token")

    async def get(self, identifier: str) -> Webhook:
        """Return a webhook; where there is none of that id, the error's `status` is 404."""
        return _read(await self._api.call("get", "GET", _one(identifier)))

    async def find(self, identifier: str) -> Webhook | None:
        """Return a webhook, or None where there is none of that id."""
        try:
            return await self.get(identifier)
        except GeminiRefused as refused:
            if refused.status == 404:
                return None
            raise

    async def create(self, name: str, uri: str, events: Iterable[str]) -> tuple[Webhook, str]:
        """Register a webhook, and return it with its signing secret, which is shown this once."""
        body = {"subscribed_events": [*events], "uri": uri, "name": name}
        reply = _object("create", await self._api.call("create", "POST", _PATH, body=body))
        return _read(reply), _shown(reply, "new_signing_secret")

    async def update(self, identifier: str, **changes: Any) -> Webhook:
        """Change the fields given (`name`, `uri`, `subscribed_events`, `state`)."""
        return _read(await self._api.call("update", "PATCH", _one(identifier), body=changes))

    async def delete(self, identifier: str) -> bool:
        """Delete a webhook; return False where there was none of that id."""
        try:
            _object("delete", await self._api.call("delete", "DELETE", _one(identifier)))
        except GeminiRefused as refused:
            if refused.status == 404:
                return False
            raise
        return True

    async def ping(self, identifier: str) -> None:
        """Have a test event delivered."""
        _object("ping", await self._api.call("ping", "POST", f"{_one(identifier)}:ping"))

    async def rotate(self, identifier: str, behavior: str) -> str:
        """Return a new signing secret, which is shown this once."""
        path, body = f"{_one(identifier)}:rotateSigningSecret", {"revocation_behavior": behavior}
        reply = await self._api.call("rotate", "POST", path, body=body)
        return _shown(_object("rotate", reply), "secret")

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()


def _one(identifier: str) -> str:
    return f"{_PATH}/{segment(identifier)}"


def _object(what: str, reply: object) -> Mapping[str, Any]:
    if not isinstance(reply, dict):
        raise GeminiRefused(f"Gemini's answer to {what} is not an object; it may have acted.")
    return reply


def _list(reply: Mapping[str, Any], name: str) -> list[Any]:
    value = reply.get(name)
    return value if isinstance(value, list) else []


def _text(reply: Mapping[str, Any], name: str) -> str:
    return str(reply.get(name) or "")


def _read(reply: object) -> Webhook:
    shown = _object("a call", reply)
    return Webhook(
        id=_text(shown, "id"),
        name=_text(shown, "name"),
        uri=_text(shown, "uri"),
        events=frozenset(map(str, _list(shown, "subscribed_events"))),
        state=_text(shown, "state"),
        description={
            name: value
            for name, value in shown.items()
            if value is not None and name not in _SHOWN_ONCE
        },
    )


def _shown(reply: Mapping[str, Any], name: str) -> str:
    secret = reply.get(name)
    if not isinstance(secret, str) or not secret:
        raise GeminiRefused("Gemini's answer showed no signing secret, which a rotation replaces.")
    return secret
