"""Gemini's WebhookService through the google-genai SDK, each call made once."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from google import genai
from google.genai._interactions import APIStatusError
from google.genai.types import HttpOptions, HttpRetryOptions

from relay.registrar.problems import GeminiRefused, Problem, redacted

_PAGE_SIZE = 1000
_MOST_PAGES = 1000
_TIMEOUT_SECONDS = 10.0

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Webhook:
    """A registered webhook, as far as the registrar looks at it."""

    id: str
    name: str
    uri: str
    events: frozenset[str]
    state: str


class WebhookService(Protocol):
    """What the registrar needs of Gemini. Every method raises `GeminiRefused`.

    After that error a call may have had its effect all the same.
    """

    async def all(self) -> list[Webhook]:
        """Return every webhook of the project, over all pages."""
        ...

    async def find(self, identifier: str) -> Webhook | None:
        """Return a webhook, or None where there is none of that id."""
        ...

    async def create(self, name: str, uri: str, events: Iterable[str]) -> tuple[Webhook, str]:
        """Register a webhook, and return it with the secret that is shown this once."""
        ...

    async def update(self, identifier: str, **changes: Any) -> Webhook:
        """Change the fields given."""
        ...

    async def delete(self, identifier: str) -> None:
        """Delete a webhook; that it is gone already is as good."""
        ...

    async def ping(self, identifier: str) -> None:
        """Have a test event delivered."""
        ...

    async def rotate(self, identifier: str, behavior: str) -> str:
        """Return a new signing secret, shown this once."""
        ...


class GeminiWebhooks:
    """The WebhookService of an API key; it belongs to the event loop that it is first used in."""

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
        token: str | None = None
        for _ in range(_MOST_PAGES):
            call = self._service.list(page_size=_PAGE_SIZE, page_token=token)
            page, token = await self._call("list", call, _page)
            found += page
            if not token:
                return found
        raise GeminiRefused("Gemini's list of webhooks does not end.")

    async def find(self, identifier: str) -> Webhook | None:
        """Return a webhook, or None where there is none of that id."""
        call = self._service.get(id=identifier)
        return await self._call("get", call, _read, missing=_nothing)

    async def create(self, name: str, uri: str, events: Iterable[str]) -> tuple[Webhook, str]:
        """Register a webhook, and return it with the secret that is shown this once."""
        # Typed as the enum of today; what is not in it passes through.
        subscribed: list[Any] = [*events]
        call = self._service.create(name=name, uri=uri, subscribed_events=subscribed)
        return await self._call("create", call, _created)

    async def update(self, identifier: str, **changes: Any) -> Webhook:
        """Change the fields given."""
        return await self._call("update", self._service.update(id=identifier, **changes), _read)

    async def delete(self, identifier: str) -> None:
        """Delete a webhook; that it is gone already is as good."""
        await self._call("delete", self._service.delete(id=identifier), bool, missing=bool)

    async def ping(self, identifier: str) -> None:
        """Have a test event delivered."""
        await self._call("ping", self._service.ping(id=identifier), bool)

    async def rotate(self, identifier: str, behavior: Any) -> str:
        """Return a new signing secret, shown this once."""
        call = self._service.rotate_signing_secret(id=identifier, revocation_behavior=behavior)
        return await self._call("rotate", call, _rotated)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aio.aclose()
        self._client.close()

    async def _call(
        self,
        what: str,
        reply: Awaitable[Any],
        read: Callable[[Any], Answer],
        *,
        missing: Callable[[], Answer] | None = None,
    ) -> Answer:
        try:
            # The SDK does not validate what it parses, so reading it may fail too.
            return read(await reply)
        except Problem:
            raise
        except APIStatusError as error:
            if missing and error.status_code == 404:
                return missing()
            reason = f"Gemini answered {error.status_code} to {what}: {_message(error)}"
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises may hold the API key
            reason = f"Gemini gave no usable answer to {what} ({type(error).__name__})."
        # Out of the except block, so that the SDK's error is not even this one's context.
        raise GeminiRefused(redacted(reason, self._api_key))


def _nothing() -> None:
    return None


def _page(reply: Any) -> tuple[list[Webhook], str | None]:
    return [_read(webhook) for webhook in reply.webhooks or []], reply.next_page_token


def _read(webhook: Any) -> Webhook:
    return Webhook(
        id=str(webhook.id or ""),
        name=str(webhook.name or ""),
        uri=str(webhook.uri or ""),
        events=frozenset(map(str, webhook.subscribed_events or ())),
        state=str(webhook.state or ""),
    )


def _created(reply: Any) -> tuple[Webhook, str]:
    return _read(reply), _shown(reply.new_signing_secret)


def _rotated(reply: Any) -> str:
    return _shown(reply.secret)


def _shown(secret: object) -> str:
    if not isinstance(secret, str) or not secret:
        raise GeminiRefused("Gemini's answer showed no signing secret.")
    return secret


def _message(error: APIStatusError) -> str:
    body = error.body
    described = body.get("error") if isinstance(body, dict) else None
    message = described.get("message") if isinstance(described, dict) else None
    return str(message or "without a reason")
