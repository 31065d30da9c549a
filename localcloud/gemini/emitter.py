"""Turns an event into deliveries: to the webhooks that subscribe to it, or to a job's own URIs."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from localcloud.core.clock import Clock
from localcloud.gemini.catalogue import envelope, example_data
from localcloud.gemini.courier import Courier
from localcloud.gemini.deliveries import Account, Delivery
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.forge import Forgery
from localcloud.gemini.ids import new_webhook_id
from localcloud.gemini.outgoing import Message
from localcloud.gemini.settings import Scheme, Settings
from localcloud.gemini.signing import event_claims
from localcloud.gemini.uris import check_uri
from localcloud.gemini.webhook import Webhook
from localcloud.gemini.webhooks import WebhookService


@dataclass(frozen=True, kw_only=True)
class Emission:
    """An event to announce, and how its deliveries differ from the usual.

    `data` defaults to the documentation's example. `uris` are dynamic webhooks, which replace the
    registered ones; `to` names registered webhooks by id, subscribed or not. `scheme` defaults to
    `v1` for registered and to the setting for dynamic webhooks. `body` replaces the whole body.
    `times` sends the same event, under one webhook id, that many times. `at` is the timestamp to
    claim, Unix seconds. `delay_seconds` of the clock pass before the first attempt; what is `lost`
    is recorded and never sent.
    """

    event_type: str
    data: Mapping[str, Any] | None = None
    user_metadata: Mapping[str, Any] | None = None
    uris: Sequence[str] = ()
    to: Sequence[str] = ()
    scheme: Scheme | None = None
    body: bytes | None = None
    times: int = 1
    webhook_id: str | None = None
    at: int | None = None
    forgery: Forgery | None = None
    delay_seconds: float = 0.0
    lost: bool = False


class Emitter:
    """Announces events."""

    def __init__(
        self,
        clock: Clock,
        settings: Settings,
        webhooks: WebhookService,
        account: Account,
        courier: Courier,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._webhooks = webhooks
        self._account = account
        self._courier = courier

    def emit(self, emission: Emission) -> list[Delivery]:
        """Start the deliveries of an event and return them; there may be none.

        Raises `GoogleError` for what cannot be sent.
        """
        deliveries: list[Delivery] = []
        body = self._body(emission)
        event_id = emission.webhook_id or new_webhook_id()
        for uri, webhook in self._targets(emission):
            scheme = emission.scheme or ("v1" if webhook else self._settings.dynamic_scheme)
            message = self._message(emission, event_id, uri, scheme, body)
            deliveries += [
                self._send(emission, uri, webhook, scheme, message) for _ in range(emission.times)
            ]
        return deliveries

    def _targets(self, emission: Emission) -> list[tuple[str, Webhook | None]]:
        if emission.uris:
            return [(check_uri(uri), None) for uri in emission.uris]
        if emission.to:
            found = [self._webhooks.find(identifier) for identifier in emission.to]
        else:
            found = [each for each in self._webhooks if each.receives(emission.event_type)]
        return [(webhook.uri, webhook) for webhook in found]

    def _body(self, emission: Emission) -> bytes:
        if emission.body is not None:
            return emission.body
        data = emission.data
        if data is None:
            data = example_data(emission.event_type, f"job_{secrets.token_hex(8)}")
        return envelope(
            emission.event_type,
            data,
            now=self._clock.time(),
            user_metadata=emission.user_metadata,
            metadata_in=self._settings.user_metadata_in,
        )

    def _message(
        self, emission: Emission, event_id: str, uri: str, scheme: Scheme, body: bytes
    ) -> Message:
        settings = self._settings
        claims: dict[str, Any] | None = None
        if scheme == "jwt":
            # A token carries the event also where the body is empty.
            event = body or self._body(replace(emission, body=None))
            audience = settings.jwt_audience or uri
            claims = {**_claims(event), "iss": settings.jwt_issuer, "aud": audience}
        return Message(event_id, body, claims, settings.jwt_lifetime_seconds, settings.jwt_with_jti)

    def _send(
        self,
        emission: Emission,
        uri: str,
        webhook: Webhook | None,
        scheme: Scheme,
        message: Message,
    ) -> Delivery:
        if scheme == "v1" and webhook is None:
            raise GoogleError(400, "v1 signs with the secret of a registered webhook.")
        if self._account.pending() >= self._settings.max_deliveries_kept:
            raise GoogleError(429, "Too many deliveries are on their way.")
        delivery = Delivery(
            number=self._account.next_number(),
            event_type=emission.event_type,
            uri=uri,
            scheme=scheme,
            message=message,
            webhook=webhook,
            forgery=emission.forgery,
            at=emission.at,
            delay_seconds=emission.delay_seconds,
            state="lost" if emission.lost else "pending",
        )
        self._account.add(delivery)
        if not emission.lost:
            self._courier.send(delivery)
        return delivery


def _claims(body: bytes) -> dict[str, Any]:
    try:
        return event_claims(body)
    except ValueError:
        raise GoogleError(400, "A JWT can only announce a JSON object.") from None
