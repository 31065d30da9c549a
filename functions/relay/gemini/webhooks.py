"""Gemini's WebhookService through the google-genai SDK, each call made once."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from google import genai
from google.genai._interactions import APIStatusError
from google.genai.types import HttpOptions, HttpRetryOptions

from relay.errors import GeminiRefused

_PAGE_SIZE = 1000
_MOST_PAGES = 1000
_TIMEOUT_SECONDS = 10.0

_DEFAULT_PORTS = {"https": 443, "http": 80}

_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=_\-]+")
_LONGEST_REASON = 500

Answer = TypeVar("Answer")


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
        self._api_key = api_key
        options = HttpOptions(
            base_url=base_url,
            timeout=int(_TIMEOUT_SECONDS * 1000),
            # The SDK would repeat a POST after a 5xx: two webhooks, or two rotations.
            retry_options=HttpRetryOptions(attempts=1),
        )
        # Kept: once the client is collected, the services taken from it fail.
        self._client = genai.Client(api_key=api_key, enterprise=False, http_options=options)
        self._service = self._client.aio.webhooks

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
        call = self._service.list(page_size=size, page_token=token or None)
        return await self._call("list", call, _page)

    async def get(self, identifier: str) -> Webhook:
        """Return a webhook; where there is none of that id, the error's `status` is 404."""
        return await self._call("get", self._service.get(id=identifier), _read)

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
        # Typed as today's enum; the SDK passes other values through.
        subscribed: list[Any] = [*events]
        call = self._service.create(name=name, uri=uri, subscribed_events=subscribed)
        return await self._call("create", call, _created)

    async def update(self, identifier: str, **changes: Any) -> Webhook:
        """Change the fields given (`name`, `uri`, `subscribed_events`, `state`)."""
        return await self._call("update", self._service.update(id=identifier, **changes), _read)

    async def delete(self, identifier: str) -> bool:
        """Delete a webhook; return False where there was none of that id."""
        try:
            await self._call("delete", self._service.delete(id=identifier), bool)
        except GeminiRefused as refused:
            if refused.status == 404:
                return False
            raise
        return True

    async def ping(self, identifier: str) -> None:
        """Have a test event delivered."""
        await self._call("ping", self._service.ping(id=identifier), bool)

    async def rotate(self, identifier: str, behavior: Any) -> str:
        """Return a new signing secret, which is shown this once."""
        call = self._service.rotate_signing_secret(id=identifier, revocation_behavior=behavior)
        return await self._call("rotate", call, _rotated)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aio.aclose()
        self._client.close()

    async def _call(
        self, what: str, reply: Awaitable[Any], read: Callable[[Any], Answer]
    ) -> Answer:
        status: int | None = None
        try:
            # The SDK does not validate what it parses, so reading it may fail too.
            return read(await reply)
        except GeminiRefused:
            raise
        except APIStatusError as error:
            status = error.status_code
            reason = f"Gemini answered {status} to {what}: {_message(error)}"
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises may hold the API key
            failure = type(error).__name__
            reason = f"Gemini gave no usable answer to {what} ({failure}); it may have acted."
        # Outside the handlers, so that the SDK's error, which holds the request, is no context.
        raise GeminiRefused(redacted(reason, self._api_key), status)


def redacted(text: str, api_key: str) -> str:
    """Return a text from outside without secrets: one line of at most 500 characters."""
    shown = _SECRET.sub("whsec_…", text.replace(api_key, "…") if api_key else text)
    return " ".join(shown.split())[:_LONGEST_REASON]


def _page(reply: Any) -> tuple[list[Webhook], str]:
    return [_read(webhook) for webhook in reply.webhooks or []], str(reply.next_page_token or "")


def _read(webhook: Any) -> Webhook:
    description = webhook.model_dump(mode="json", exclude_none=True, warnings=False)
    description.pop("new_signing_secret", None)
    return Webhook(
        id=str(webhook.id or ""),
        name=str(webhook.name or ""),
        uri=str(webhook.uri or ""),
        events=frozenset(map(str, webhook.subscribed_events or ())),
        state=str(webhook.state or ""),
        description=description,
    )


def _created(reply: Any) -> tuple[Webhook, str]:
    return _read(reply), _shown(reply.new_signing_secret)


def _rotated(reply: Any) -> str:
    return _shown(reply.secret)


def _shown(secret: object) -> str:
    if not isinstance(secret, str) or not secret:
        raise GeminiRefused("Gemini's answer showed no signing secret, which a rotation replaces.")
    return secret


def _message(error: APIStatusError) -> str:
    body = error.body
    described = body.get("error") if isinstance(body, dict) else None
    message = described.get("message") if isinstance(described, dict) else None
    return str(message or "without a reason")
