"""What `hooks webhook` does: WebhookService through the SDK, and the secret kept, never shown."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from google import genai
from google.genai._interactions import APIStatusError
from google.genai.types import HttpOptions, HttpRetryOptions

from hooks.console import err, out, pairs, print_json
from hooks.errors import HooksError, UsageError
from hooks.webhook.secret_store import Keeper, NotKept
from hooks.webhook.states import ENABLED, explain
from relay.registrar.problems import redacted
from relay.registrar.settings import EVENTS

_PAGE = 1000
_MOST_PAGES = 1000
_MILLISECONDS = 15_000
_COLUMNS = ("id", "state", "uri", "name")
_AT_ONCE = "revoke_previous_secrets_immediately"

Described = dict[str, Any]
"""A webhook as Gemini shows it, in snake_case; times as text."""


class GeminiRefused(HooksError):
    """Gemini refused a call or did not answer; `status` is the HTTP status, None without one."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class Registration:
    """The webhooks of the project that an API key belongs to. Use it in a `with` block.

    Every call is made once: a POST that is repeated after a 5xx could make two webhooks. Raises
    `GeminiRefused`, `NotKept` and `UsageError`, never with a secret in it.
    """

    def __init__(self, api_key: str, base_url: str | None) -> None:
        self._api_key = api_key
        options = HttpOptions(
            base_url=base_url,
            timeout=_MILLISECONDS,
            retry_options=HttpRetryOptions(attempts=1),
        )
        self._client = genai.Client(api_key=api_key, enterprise=False, http_options=options)
        self._service = self._client.webhooks

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return what an environment names; raises `UsageError` without an API key."""
        api_key = environ.get("GEMINI_API_KEY", "").strip()
        if not api_key:
            raise UsageError(
                "Set GEMINI_API_KEY: Gemini's webhooks belong to an API key's project."
            )
        return cls(api_key, environ.get("GOOGLE_GEMINI_BASE_URL", "").strip() or None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def list(self, page_size: int | None = None, page_token: str = "") -> Described:
        """Return `{"webhooks", "next_page_token"}`: all, or the page asked for."""
        if page_size is not None or page_token:
            return self._page(page_size, page_token)
        webhooks: list[Described] = []
        for _ in range(_MOST_PAGES):
            page = self._page(_PAGE, page_token)
            webhooks += page["webhooks"]
            page_token = page.get("next_page_token", "")
            if not page_token:
                return {"webhooks": webhooks}
        raise GeminiRefused("Gemini's list of webhooks does not end.", None)

    def get(self, identifier: str) -> Described:
        """Return a webhook."""
        return self._call("show the webhook", self._service.get, id=identifier)

    def identify(self, identifier: str, uri: str) -> str:
        """Return the id that is given, or of the one webhook that leads to a URI."""
        if bool(identifier) == bool(uri):
            raise UsageError("Name the webhook: by its id, or with --uri.")
        if identifier:
            return identifier
        webhook = self._by_uri(uri)
        if webhook is None:
            raise UsageError(f"No webhook leads to {uri}; `hooks webhook list` shows all.")
        return str(webhook["id"])

    def create(
        self, uri: str, name: str, events: Iterable[str] | None, keeper: Keeper | None
    ) -> Described:
        """Create a webhook, and return it with `secret`: where its secret is kept."""
        place = _needed(keeper)
        place.prepare()
        request = {"uri": uri, "name": name, "subscribed_events": list(events or EVENTS)}
        created = self._call("create the webhook", self._service.create, **request)
        secret = created.pop("new_signing_secret", None)
        return created | {"secret": self._keep(created["id"], secret, place, alone=True)}

    def update(self, identifier: str, changes: Mapping[str, Any]) -> Described:
        """Change the fields that are not None."""
        given = {name: value for name, value in changes.items() if value is not None}
        if not given:
            raise UsageError("Nothing to change: give --name, --uri, --event or --state.")
        return self._call("update the webhook", self._service.update, id=identifier, **given)

    def ping(self, identifier: str) -> Described:
        """Have a test event delivered."""
        self._call("ping the webhook", self._service.ping, id=identifier)
        return {"id": identifier, "pinged": True}

    def rotate(self, identifier: str, behavior: str, keeper: Keeper | None) -> Described:
        """Rotate the signing secret, and return where the new one is kept."""
        place = _needed(keeper)
        place.prepare()
        reply = self._call(
            "rotate the signing secret",
            self._service.rotate_signing_secret,
            id=identifier,
            revocation_behavior=behavior,
        )
        alone = behavior == _AT_ONCE
        where = self._keep(identifier, reply.get("secret"), place, alone=alone)
        return {"id": identifier, "revocation_behavior": behavior, "secret": where}

    def delete(self, identifier: str) -> Described:
        """Delete a webhook."""
        self._call("delete the webhook", self._service.delete, id=identifier)
        return {"id": identifier, "deleted": True}

    def apply(
        self, uri: str, name: str, events: Iterable[str] | None, keeper: Keeper | None
    ) -> Described:
        """Make the webhook of a URI as it should be; `changed` says what had to be done."""
        wanted = list(events or EVENTS)
        webhook = self._by_uri(uri)
        if webhook is None:
            return self.create(uri, name, wanted, keeper) | {"changed": ["created"]}
        changes = _differences(webhook, name, wanted)
        changed = sorted(changes)
        where = {}
        if keeper is not None and not keeper.holds(_time(webhook.get("create_time"))):
            # Its secret was shown to nobody who kept it.
            rotated = self.rotate(webhook["id"], "revoke_previous_secrets_after_h24", keeper)
            where = {"secret": rotated["secret"]}
            changed.append("secret")
        if changes:
            webhook = self.update(webhook["id"], changes)
        return webhook | where | {"changed": changed}

    def _by_uri(self, uri: str) -> Described | None:
        found = [each for each in self.list()["webhooks"] if each.get("uri") == uri]
        if len(found) > 1:
            identifiers = ", ".join(str(each.get("id")) for each in found)
            raise UsageError(f"{len(found)} webhooks lead to {uri}: {identifiers}. Delete but one.")
        return found[0] if found else None

    def _page(self, page_size: int | None, page_token: str) -> Described:
        token = page_token or None
        page = self._call(
            "list the webhooks", self._service.list, page_size=page_size, page_token=token
        )
        return {"webhooks": [], **page}

    def _keep(self, identifier: str, secret: object, place: Keeper, *, alone: bool) -> str:
        advice = f" It is lost: run `hooks webhook rotate {identifier}`."
        if not isinstance(secret, str) or not secret:
            raise GeminiRefused(f"Gemini showed no signing secret.{advice}", None)
        try:
            return place.keep(secret, alone=alone)
        except NotKept as failure:
            reason = str(failure)
        raise NotKept(reason + advice)

    def _call(self, what: str, method: Callable[..., Any], **arguments: Any) -> Described:
        status: int | None = None
        try:
            reply: Described = method(**arguments).model_dump(mode="json", exclude_none=True)
            return reply
        except APIStatusError as error:
            status = error.status_code
            reason = f"Gemini answered {status}: {_message(error)}"
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises may hold the API key
            reason = f"Gemini gave no usable answer ({type(error).__name__}); it may have acted."
        # Out of the except block, so that the SDK's error, with its request, is no context.
        raise GeminiRefused(f"Could not {what}. {redacted(reason, self._api_key)}", status)


def show(webhook: Described, *, as_json: bool) -> None:
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


def _advise(webhook: Described) -> None:
    # What was deleted or pinged has no state to tell of.
    meaning, remedy = explain(webhook.get("state", ENABLED), str(webhook.get("id", "")))
    if meaning:
        state = webhook["state"]
        err.print(f"{webhook['id']} is {state}: {meaning}. To leave that: {remedy}", style="yellow")


def _needed(keeper: Keeper | None) -> Keeper:
    if keeper is None:
        raise UsageError(
            "Gemini shows the signing secret once. Say where it is to go: --signing-secret"
            " projects/PROJECT/secrets/NAME, or --secret-file FILE."
        )
    return keeper


def _differences(webhook: Described, name: str, events: list[str]) -> Described:
    wanted: Described = {}
    if webhook.get("name", "") != name:
        wanted["name"] = name
    if set(webhook.get("subscribed_events", [])) != set(events):
        wanted["subscribed_events"] = events
    if webhook.get("state") != "enabled":
        wanted["state"] = "enabled"
    return wanted


def _time(text: object) -> datetime | None:
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


def _message(error: APIStatusError) -> str:
    described = error.body.get("error") if isinstance(error.body, dict) else None
    message = described.get("message") if isinstance(described, dict) else None
    return str(message or "without a reason")
