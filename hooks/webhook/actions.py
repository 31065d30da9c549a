"""What `hooks webhook` does: webhooks at Gemini, and their signing secrets stored, never shown."""

import asyncio
import shlex
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from hooks.console import err, out, pairs, print_json
from hooks.errors import HooksError, UsageError
from hooks.webhook.secret_store import SecretNotStored, SecretStore
from hooks.webhook.states import ENABLED, explain
from relay.errors import GeminiRefused
from relay.gemini.webhooks import GeminiWebhooks, Webhook, same_uri
from relay.registrar.settings import EVENTS
from relay.registrar.state import AFTER_A_DAY, AT_ONCE

_COLUMNS = ("id", "state", "uri", "name")

Described = dict[str, Any]
"""A webhook as Gemini shows it, in snake_case; times as text."""

Answer = TypeVar("Answer")


class Registration:
    """The webhooks of the project that an API key belongs to. Use it in a `with` block.

    `options` are those that name the deployment on the command line.

    Raises `HooksError` where Gemini refuses, `SecretNotStored` and `UsageError`, never with a
    secret in it.
    """

    def __init__(self, api_key: str, base_url: str | None, options: Sequence[str] = ()) -> None:
        self._options = options
        self._gemini = GeminiWebhooks(api_key=api_key, base_url=base_url)
        # One loop for all calls: the client belongs to the first that it is used on.
        self._runner = asyncio.Runner()

    @classmethod
    def of(cls, environ: Mapping[str, str], options: Sequence[str] = ()) -> Self:
        """Return what an environment names; raises `UsageError` without an API key."""
        api_key = environ.get("GEMINI_API_KEY", "").strip()
        if not api_key:
            raise UsageError(
                "Set GEMINI_API_KEY: Gemini's webhooks belong to an API key's project."
            )
        base_url = environ.get("GOOGLE_GEMINI_BASE_URL", "").strip() or None
        return cls(api_key, base_url, options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        with self._runner as runner:
            runner.run(self._gemini.close())

    def list(self, page_size: int | None = None, page_token: str = "") -> Described:
        """Return `{"webhooks", "next_page_token"}`: all, or the page asked for."""
        if page_size is None and not page_token:
            return {"webhooks": [_described(each) for each in self._run(self._gemini.all())]}
        page, following = self._run(self._gemini.page(page_size, page_token))
        more = {"next_page_token": following} if following else {}
        return {"webhooks": [_described(each) for each in page]} | more

    def get(self, identifier: str) -> Described:
        """Return a webhook."""
        return _described(self._run(self._gemini.get(identifier)))

    def identify(self, identifier: str, uri: str) -> str:
        """Return the id that is given, or that of the one webhook with a URI."""
        if bool(identifier) == bool(uri):
            raise UsageError("Name the webhook: by its id, or with --uri.")
        if identifier:
            return identifier
        webhook = self._run(self._by_uri(uri))
        if webhook is None:
            raise UsageError(f"No webhook has the URI {uri}; `hooks webhook list` shows all.")
        return webhook.id

    def create(
        self, uri: str, name: str, events: Iterable[str] | None, store: SecretStore | None
    ) -> Described:
        """Create a webhook, and return it with `secret`: where its secret is stored."""
        return self._run(self._create(uri, name, list(events or EVENTS), _needed(store)))

    def update(self, identifier: str, changes: Mapping[str, Any]) -> Described:
        """Change the fields that are not None."""
        given = {name: value for name, value in changes.items() if value is not None}
        if not given:
            raise UsageError("Nothing to change: give --name, --uri, --event or --state.")
        return _described(self._run(self._gemini.update(identifier, **given)))

    def ping(self, identifier: str) -> Described:
        """Have a test event delivered."""
        self._run(self._gemini.ping(identifier))
        return {"id": identifier, "pinged": True}

    def rotate(self, identifier: str, behavior: str, store: SecretStore | None) -> Described:
        """Rotate the signing secret, and return where the new one is stored."""
        where = self._run(self._rotate(identifier, behavior, _needed(store)))
        return {"id": identifier, "revocation_behavior": behavior, "secret": where}

    def delete(self, identifier: str) -> Described:
        """Delete a webhook."""
        if not self._run(self._gemini.delete(identifier)):
            raise HooksError(f"Gemini has no webhook {identifier}; `hooks webhook list` shows all.")
        return {"id": identifier, "deleted": True}

    def apply(
        self, uri: str, name: str, events: Iterable[str] | None, store: SecretStore | None
    ) -> Described:
        """Make the webhook of a URI as it should be; `changed` says what had to be done."""
        return self._run(self._apply(uri, name, list(events or EVENTS), store))

    async def _apply(
        self, uri: str, name: str, events: Iterable[str], store: SecretStore | None
    ) -> Described:
        webhook = await self._by_uri(uri)
        if webhook is None:
            created = await self._create(uri, name, events, _needed(store))
            return created | {"changed": ["created"]}
        changes = _differences(webhook, name, events)
        changed = sorted(changes)
        where = {}
        if store is not None and not await store.holds(_created_at(webhook)):
            # Nobody stored the secret of this webhook when it was shown.
            where = {"secret": await self._rotate(webhook.id, AFTER_A_DAY, store)}
            changed.append("secret")
        if changes:
            webhook = await self._gemini.update(webhook.id, **changes)
        return _described(webhook) | where | {"changed": changed}

    async def _create(
        self, uri: str, name: str, events: Iterable[str], store: SecretStore
    ) -> Described:
        await store.prepare()
        webhook, secret = await self._gemini.create(name, uri, events)
        # A creation revokes nothing: other webhooks may sign with what is stored.
        where = await self._store(webhook.id, secret, store, alone=False)
        return _described(webhook) | {"secret": where}

    async def _rotate(self, identifier: str, behavior: str, store: SecretStore) -> str:
        await store.prepare()
        secret = await self._gemini.rotate(identifier, behavior)
        return await self._store(identifier, secret, store, alone=behavior == AT_ONCE)

    async def _store(self, identifier: str, secret: str, store: SecretStore, *, alone: bool) -> str:
        try:
            return await store.store(secret, alone=alone)
        except SecretNotStored as failure:
            words = ("hooks", "webhook", "rotate", identifier, *store.option, *self._options)
            advice = f" It is lost: run `{shlex.join(words)}`."
            raise SecretNotStored(str(failure) + advice) from None

    async def _by_uri(self, uri: str) -> Webhook | None:
        found = [each for each in await self._gemini.all() if same_uri(each.uri, uri)]
        if len(found) > 1:
            identifiers = ", ".join(each.id for each in found)
            raise UsageError(
                f"{len(found)} webhooks have the URI {uri}: {identifiers}. Delete all but one."
            )
        return found[0] if found else None

    def _run(self, call: Coroutine[Any, Any, Answer]) -> Answer:
        try:
            return self._runner.run(call)
        except GeminiRefused as refused:
            raise HooksError(refused.reason) from None


def show(webhook: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a webhook, or what was done to it."""
    if as_json:
        print_json(webhook)
    else:
        out.print(pairs({name: _text(value) for name, value in webhook.items()}))
        _advise(webhook)


def show_page(page: Described, *, as_json: bool) -> None:
    """Print a list of webhooks."""
    if as_json:
        print_json(page)
        return
    rows = [[_text(webhook.get(column, "")) for column in _COLUMNS] for webhook in page["webhooks"]]
    # Never cut short to fit the terminal: ids and URIs are there to be copied.
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        out.print("  ".join(map(str.ljust, row, widths)).rstrip(), markup=False)
    if not rows:
        out.print("No webhooks.")
    for webhook in page["webhooks"]:
        _advise(webhook)
    if "next_page_token" in page:
        out.print(f"More: --page-token {page['next_page_token']}")


def _advise(webhook: Mapping[str, Any]) -> None:
    # What was deleted or pinged has no state to tell of.
    meaning, remedy = explain(webhook.get("state", ENABLED), str(webhook.get("id", "")))
    if meaning:
        state = webhook["state"]
        err.print(f"{webhook['id']} is {state}: {meaning}. To leave that: {remedy}", style="yellow")


def _needed(store: SecretStore | None) -> SecretStore:
    if store is None:
        raise UsageError(
            "Gemini shows the signing secret once. Say where to store it: --signing-secret"
            " projects/PROJECT/secrets/NAME, or --secret-file FILE."
        )
    return store


def _described(webhook: Webhook) -> Described:
    return dict(webhook.description)


def _differences(webhook: Webhook, name: str, events: Iterable[str]) -> Described:
    wanted: Described = {}
    if webhook.name != name:
        wanted["name"] = name
    if webhook.events != set(events):
        wanted["subscribed_events"] = list(events)
    if webhook.state != ENABLED:
        wanted["state"] = ENABLED
    return wanted


def _created_at(webhook: Webhook) -> datetime | None:
    text = webhook.description.get("create_time")
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value)
    if isinstance(value, dict):
        return " ".join(f"{name}={_text(each)}" for name, each in value.items())
    return "yes" if value is True else str(value)
