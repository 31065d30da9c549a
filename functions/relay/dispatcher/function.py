"""The dispatcher: one Pub/Sub push in, one event out to every route that it takes.

Answers 204 once nothing is left to do, 400 for a request that is not a push, 401 and 403 for a
caller that is not Pub/Sub, 405 for other methods than POST, 408 for a body that does not arrive,
409 while another worker holds the event, 413 for a body over the limit, and 503 where a retry may
help. Pub/Sub retries after every answer but 204.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.requests import Request

from relay.dispatcher.jobs import Jobs
from relay.dispatcher.settings import Settings
from relay.dispatcher.worker import Outcome, Worker
from relay.environment import Environment
from relay.gcp.database import create_database
from relay.gcp.publisher import create_publisher
from relay.gcp.store import create_store
from relay.jobs import DELIVERIES
from relay.web.identity import IdentityCheck, create_identity_check
from relay.web.push import SETTLED, UNAVAILABLE, PushedMessage, answer_push
from relay.web.replies import Reply, silence_disconnect_errors

_BUSY = Reply(409, b'{"error":"another worker holds the event"}')
_REPLIES = {Outcome.BUSY: _BUSY, Outcome.UNFINISHED: UNAVAILABLE}


class Dispatcher:
    """Answers pushes."""

    def __init__(self, worker: Worker, identity: IdentityCheck | None) -> None:
        self._worker = worker
        self._identity = identity
        self._handles_stop = False

    async def __call__(self, request: Request) -> Reply:
        """Answer one request."""
        return await answer_push(request, self._identity, self._handle)

    async def _handle(self, message: PushedMessage) -> Reply:
        return _REPLIES.get(await self._ready().handle(message), SETTLED)

    def _ready(self) -> Worker:
        if not self._handles_stop:
            # Not in `create`: only the forked worker gets SIGTERM.
            self._worker.stopping.on_signal()
            self._handles_stop = True
        return self._worker


def create(environ: Mapping[str, str]) -> Dispatcher:
    """Make the dispatcher of this environment; raises `ConfigurationError` if it is wrong."""
    settings, environment = Settings.read(environ), Environment(environ)
    identity = create_identity_check(environment)
    silence_disconnect_errors()
    # Safe before the server forks: all connect at the first message.
    publisher, store = create_publisher(environ), create_store(environ, DELIVERIES)
    jobs = None
    # Unset, nobody follows jobs here, and no event costs a call more.
    if environment.text("JOBS_DATABASE"):
        jobs = Jobs(create_database(environ, "JOBS_DATABASE"), _now)
    return Dispatcher(Worker(settings, store, publisher, _now, jobs), identity)


def _now() -> datetime:
    return datetime.now(UTC)
