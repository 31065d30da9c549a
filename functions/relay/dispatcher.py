"""The dispatcher: one Pub/Sub push in, one event out to every route that it takes.

Answers 204 once nothing is left to do, 400 for what is no push, 401 and 403 for a caller that is
not Pub/Sub, 405 for other methods than POST, 409 while another worker holds the event, 413 for a
body over the cap, and 503 where trying again may help. Pub/Sub delivers again after all but 204.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore import AsyncClient
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay import body, push
from relay.claims import Terms
from relay.environment import Environment
from relay.errors import ConfigurationError, Refused, Unavailable
from relay.ledger import COLLECTION
from relay.log import log
from relay.oidc import IdentityCheck, create_identity_check
from relay.publisher import create_publisher
from relay.routes import read_routes
from relay.store import FirestoreStore
from relay.worker import Outcome, Settings, Worker

# https://firebase.google.com/docs/firestore/manage-databases#database_name
_DATABASE = re.compile(r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]")
_RETRY_AFTER = {"retry-after": "10"}
_STATUS = {Outcome.BUSY: 409, Outcome.UNFINISHED: 503}
_ERRORS = {
    400: "not a Pub/Sub push",
    401: "no valid identity token",
    403: "not allowed",
    413: "too large",
}


class Dispatcher:
    """Answers pushes. The worker is made at the first of them: in the process that serves."""

    def __init__(self, make_worker: Callable[[], Worker], identity: IdentityCheck | None) -> None:
        self._make_worker = make_worker
        self._identity = identity
        self._worker: Worker | None = None

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if request.method != "POST":
            return _problem(405, "send a Pub/Sub push by POST", {"allow": "POST"})
        try:
            if self._identity:
                await self._identity.check(request.headers.get("authorization", ""))
            content = await body.read(request, push.MAX_PUSH_BYTES)
            message = push.parse(request.headers, content)
            outcome = await self._ready().handle(message)
        except Refused as refused:
            log("WARNING", "push refused", reason=refused.reason)
            return _problem(refused.status, _ERRORS[refused.status])
        except Unavailable as failure:
            log("ERROR", "push put off", reason=failure.reason)
            return _problem(503, "try again", _RETRY_AFTER)
        if outcome in _STATUS:
            return _problem(_STATUS[outcome], outcome.value, _RETRY_AFTER)
        return Response(status_code=204)

    def _ready(self) -> Worker:
        if self._worker is None:
            self._worker = self._make_worker()
            self._worker.stopping.on_signal()
        return self._worker


def create(environ: Mapping[str, str]) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler that an environment describes; raises `ConfigurationError`."""
    settings = read_settings(Environment(environ))
    identity = create_identity_check(Environment(environ))
    # Built before the server forks, which is safe: it connects at its first message.
    publisher = create_publisher(environ)

    def make_worker() -> Worker:
        client = _client(settings)
        return Worker(settings, FirestoreStore(client, COLLECTION), publisher, _now)

    return Dispatcher(make_worker, identity)


def read_settings(environment: Environment) -> Settings:
    """Return what the environment says; raises `ConfigurationError`."""
    lease = environment.integer("LEASE_SECONDS", 120, minimum=2, maximum=600)
    retention = environment.integer("DEDUP_RETENTION_DAYS", 7, minimum=1, maximum=365)
    return Settings(
        project=environment.project(),
        database=_database(environment),
        dead_letter_topic=environment.topic("DEAD_LETTER_TOPIC", "gemini-webhooks-dead-letter"),
        routes=read_routes(environment),
        terms=Terms(lease=timedelta(seconds=lease), retention=timedelta(days=retention)),
    )


def _database(environment: Environment) -> str:
    name = environment.text("FIRESTORE_DATABASE", "(default)")
    if not _DATABASE.fullmatch(name):
        problem = "is not a database's id: (default), or 4 to 63 lower-case letters, digits and '-'"
        raise ConfigurationError("FIRESTORE_DATABASE", problem, example="gemini-webhooks")
    return name


def _client(settings: Settings) -> AsyncClient:
    try:
        return AsyncClient(project=settings.project, database=settings.database)
    except GoogleAuthError as error:
        raise Unavailable("credentials") from error


def _now() -> datetime:
    return datetime.now(UTC)


def _problem(status: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": error}, status_code=status, headers=headers)
