"""WebhookService: the registered webhooks of a project, in memory."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from localcloud.core.clock import Clock
from localcloud.gemini.errors import GoogleError, not_found
from localcloud.gemini.ids import new_id
from localcloud.gemini.paging import page
from localcloud.gemini.settings import Settings
from localcloud.gemini.uris import check_uri
from localcloud.gemini.webhook import UPDATABLE, Secret, Webhook, check_events, check_name

_REVOKE_LATER = "revoke_previous_secrets_after_h24"
_REVOKE_NOW = "revoke_previous_secrets_immediately"


class WebhookService:
    """Creates, shows, changes and deletes webhooks, and rotates their signing secrets.

    Takes and returns JSON objects in the API's snake_case; raises `GoogleError`.
    """

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._settings = settings
        self._webhooks: dict[str, Webhook] = {}
        self._numbers = itertools.count(1)

    def __iter__(self) -> Iterator[Webhook]:
        """Iterate over the webhooks, oldest first."""
        return iter(tuple(self._webhooks.values()))

    def create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Register a webhook; the reply shows its signing secret, this once."""
        if len(self._webhooks) >= self._settings.max_webhooks:
            raise GoogleError(429, "The project has too many webhooks.")
        now = self._clock.time()
        webhook = Webhook(
            id=new_id(),
            number=next(self._numbers),
            name=check_name(request.get("name")),
            uri=check_uri(request.get("uri")),
            subscribed_events=check_events(request.get("subscribed_events")),
            created=now,
            updated=now,
        )
        self._webhooks[webhook.id] = webhook
        return self._shown(webhook) | {"new_signing_secret": webhook.secrets[0].value}

    def get(self, identifier: str) -> dict[str, Any]:
        """Show a webhook, its secrets truncated."""
        return self._shown(self.find(identifier))

    def list(self, page_size: int | None, page_token: str) -> dict[str, Any]:
        """Show a page of webhooks, oldest first: 50 unless asked, 1,000 at most."""
        webhooks, following = page(self, lambda webhook: webhook.number, page_size, page_token)
        shown: dict[str, Any] = {"webhooks": [self._shown(webhook) for webhook in webhooks]}
        return shown | ({"next_page_token": following} if following else {})

    def update(self, identifier: str, request: Mapping[str, Any], mask: str) -> dict[str, Any]:
        """Change the fields that the mask names, or, without one, those that are present."""
        webhook = self.find(identifier)
        paths = _paths(mask) or [name for name in UPDATABLE if name in request]
        webhook.apply({path: request.get(path) for path in paths}, self._clock.time())
        return self._shown(webhook)

    def delete(self, identifier: str) -> dict[str, Any]:
        """Forget a webhook."""
        self.find(identifier).deleted = True
        del self._webhooks[identifier]
        return {}

    def rotate(self, identifier: str, behavior: object) -> dict[str, Any]:
        """Make a new signing secret and show it, this once."""
        webhook = self.find(identifier)
        # The guides' samples write the enum in capitals.
        wanted = str(behavior or _REVOKE_LATER).lower()
        if wanted not in {_REVOKE_LATER, _REVOKE_NOW}:
            raise GoogleError(400, f"Invalid value at 'revocation_behavior': {behavior!r}.")
        overlap = self._settings.secret_overlap_seconds if wanted == _REVOKE_LATER else 0.0
        return {"secret": webhook.rotate(self._clock.time(), overlap)}

    def find(self, identifier: str) -> Webhook:
        """Return a webhook by its id."""
        try:
            return self._webhooks[identifier]
        except KeyError:
            raise not_found("Webhook", identifier) from None

    def dump(self) -> Any:
        """Return the webhooks with their signing secrets as a JSON document."""
        return [asdict(webhook) for webhook in self]

    def restore(self, dumped: Iterable[Any]) -> None:
        """Take over the webhooks that `dump` returned."""
        for each in dumped:
            secrets = [Secret(**secret) for secret in each["secrets"]]
            webhook = Webhook(**{**each, "secrets": secrets, "number": next(self._numbers)})
            self._webhooks[webhook.id] = webhook

    def _shown(self, webhook: Webhook) -> dict[str, Any]:
        return webhook.describe(self._clock.time(), with_times=not self._settings.omit_times)


def _paths(mask: str) -> list[str]:
    paths = [_snake_case(path.strip()) for path in mask.split(",") if path.strip()]
    for path in paths:
        if path not in UPDATABLE:
            raise GoogleError(400, f"Invalid path in update_mask: {path!r}.")
    return paths


def _snake_case(path: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in path)
