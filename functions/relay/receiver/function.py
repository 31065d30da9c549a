"""The public endpoint: verifies a delivery, publishes it to Pub/Sub, then acknowledges it."""

import time
from collections.abc import Callable, Mapping

from starlette.requests import Request

from relay.errors import Poison, Refused, Unavailable
from relay.gcp.channels import opener
from relay.gcp.publisher import Publisher, create_publisher
from relay.ingress import rfc3339
from relay.keys.cache import KeyCache
from relay.keys.jwks import JWKS_PACE, JwksLoader
from relay.keys.signing_secret import SECRET_PACE, SigningSecretLoader
from relay.keys.source import FixedKeys, KeySource
from relay.receiver.delivery import Delivery
from relay.receiver.refusals import Refusals
from relay.receiver.settings import SCHEMES, Settings
from relay.receiver.signatures import Verified
from relay.receiver.signatures.asymmetric import AsymmetricScheme
from relay.receiver.signatures.symmetric import SymmetricScheme
from relay.receiver.verifier import Enabled, Verifier
from relay.web.body import read_body
from relay.web.replies import Reply, silence_disconnect_errors

PUBLISH_TIMEOUT = 3.0
"""Seconds until a delivery whose message Pub/Sub has not confirmed is answered 503."""

BODY_TIMEOUT = 10.0
"""Seconds in which the whole body must have arrived."""


# Constant, so that no answer tells why a delivery is refused.
_RECEIVED = Reply(200, b'{"status":"received"}')
_HEALTHY = Reply(200, b'{"status":"ok"}')
_UNAVAILABLE = Reply(503, b'{"error":"unavailable"}', {"Retry-After": "5"})
_REFUSALS = {
    400: Reply(400, b'{"error":"bad request"}'),
    401: Reply(401, b'{"error":"unauthorized"}'),
    405: Reply(405, b'{"error":"method not allowed"}', {"Allow": "GET, HEAD, POST"}),
    # The rest of a late body must not be read as the next request.
    408: Reply(408, b'{"error":"request timeout"}', {"Connection": "close"}),
    413: Reply(413, b'{"error":"content too large"}'),
}


class Receiver:
    """Answers requests by the refusal table; stateless but for its caches.

    `now` returns Unix seconds.
    """

    def __init__(
        self,
        settings: Settings,
        verifier: Verifier,
        publisher: Publisher,
        *,
        now: Callable[[], float],
        body_timeout: float = BODY_TIMEOUT,
    ) -> None:
        self._settings = settings
        self._verifier = verifier
        self._publisher = publisher
        self._now = now
        self._body_timeout = body_timeout
        self._refusals = Refusals()

    async def __call__(self, request: Request) -> Reply:
        """Answer one request; 200 to a delivery only with Pub/Sub's message id in hand."""
        if request.method in ("GET", "HEAD"):
            return _HEALTHY
        try:
            await self._relay(request)
        except Refused as refused:
            self._refusals.add("WARNING", refused.reason)
            return _REFUSALS[refused.status]
        except (Unavailable, Poison) as error:
            # Even a message that Pub/Sub calls invalid must not be acknowledged: it is authentic.
            self._refusals.add("ERROR", error.reason)
            return _UNAVAILABLE
        return _RECEIVED

    async def _relay(self, request: Request) -> None:
        if request.method != "POST":
            raise Refused(405, "method")
        settings = self._settings
        body = await read_body(request, limit=settings.max_body, timeout=self._body_timeout)
        delivery = Delivery.parse(request.scope["headers"], body, self._now())
        delivery.check_age(settings.tolerance)
        verified = await self._verifier.verify(delivery)
        await self._publisher.publish(
            settings.topic,
            verified.body,
            attributes(verified, delivery),
            timeout=PUBLISH_TIMEOUT,
        )


def attributes(verified: Verified, delivery: Delivery) -> dict[str, str]:
    """Return the ingress message's attributes."""
    found = {
        "webhook-id": verified.id,
        "webhook-timestamp": str(verified.timestamp),
        "scheme": verified.scheme,
        "dedup-key": verified.id,
        "received-at": rfc3339(delivery.received_at),
    }
    if delivery.traceparent:
        found["traceparent"] = delivery.traceparent
    return found


def create(environ: Mapping[str, str], *, now: Callable[[], float] = time.time) -> Receiver:
    """Make the receiver of this environment; raises `ConfigurationError` if it is wrong.

    Opens no connection: the framework has yet to fork the process that serves.
    """
    settings = Settings.read(environ)
    silence_disconnect_errors()
    return Receiver(
        settings, Verifier(_enabled(settings), known=SCHEMES), create_publisher(environ), now=now
    )


def _enabled(settings: Settings) -> list[Enabled]:
    jwks = JwksLoader(settings.jwks_uri, rsa="jwt" in settings.schemes)
    public_keys = KeyCache("jwks", jwks, JWKS_PACE, time.monotonic)
    enabled: list[Enabled] = []
    if "v1" in settings.schemes:
        enabled.append(Enabled(SymmetricScheme(), _signing_secrets(settings)))
    if "v1a" in settings.schemes:
        enabled.append(Enabled(AsymmetricScheme(), public_keys))
    if "jwt" in settings.schemes:
        # Imported here, so that only a receiver that accepts tokens loads PyJWT.
        from relay.receiver.signatures.token import TokenScheme

        scheme = TokenScheme(settings.audiences, settings.tolerance)
        enabled.append(Enabled(scheme, public_keys))
    return enabled


def _signing_secrets(settings: Settings) -> KeySource[tuple[bytes, ...]]:
    if settings.secrets:
        return FixedKeys(settings.secrets)
    # Imported here, so that only a receiver with its secret there loads Secret Manager's client.
    from relay.gcp.secrets import HOST, SecretVersions

    open_channel = opener(HOST, settings.secret_manager_emulator)
    versions = SecretVersions(settings.secret_path, open_channel)
    loader = SigningSecretLoader(versions)
    return KeyCache("signing-secret", loader, SECRET_PACE, time.monotonic)
