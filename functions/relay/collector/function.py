"""The collector: copies the result that an event announces into the bucket, and announces that.

A push subscriber of the events topic. Answers 204 once nothing is left to do, 400 for a request
that is not a push, 401 and 403 for a caller that is not Pub/Sub, 405 for other methods than POST,
408 for a body that does not arrive, 413 for a body over the limit, and 503 where a retry may help.
Pub/Sub retries after every answer but 204.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.requests import Request

from relay.collector.settings import Settings
from relay.collector.worker import Collector
from relay.environment import Environment
from relay.gcp.objects import create_bucket
from relay.gcp.publisher import create_publisher
from relay.gemini.api import GeminiApi
from relay.web.identity import IdentityCheck, create_identity_check
from relay.web.push import SETTLED, PushedMessage, answer_push
from relay.web.replies import Reply, silence_disconnect_errors

_CALL_SECONDS = 30.0


class Service:
    """Answers pushes."""

    def __init__(self, collector: Collector, identity: IdentityCheck | None) -> None:
        self._collector = collector
        self._identity = identity

    async def __call__(self, request: Request) -> Reply:
        """Answer one request."""
        return await answer_push(request, self._identity, self._handle)

    async def _handle(self, message: PushedMessage) -> Reply:
        await self._collector.handle(message)
        return SETTLED


def create(environ: Mapping[str, str]) -> Service:
    """Make the collector of this environment; raises `ConfigurationError` if it is wrong."""
    settings = Settings.read(environ)
    identity = create_identity_check(Environment(environ))
    silence_disconnect_errors()
    # Safe before the server forks: all connect at the first result.
    api = GeminiApi(api_key=settings.api_key, base_url=settings.base_url, timeout=_CALL_SECONDS)
    bucket, publisher = create_bucket(environ, settings.bucket), create_publisher(environ)
    return Service(Collector(settings, api, bucket, publisher, _now), identity)


def _now() -> datetime:
    return datetime.now(UTC)
