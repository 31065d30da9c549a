"""The reconciler: finds out how jobs ended whose event has not come, and announces it once.

Its schedule calls `POST /`. Answers 200 with the run's account, 401 and 403 for another caller, 404
and 405 for another path or method, 409 while another run holds the lease, 502 where Gemini refuses
the key, and 503 where Firestore or Pub/Sub is out of reach: what was left is done in the next run.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from starlette.requests import Request

from relay.environment import Environment
from relay.errors import GeminiRefused, Refused, Unavailable
from relay.gcp.database import SearchableDatabase, create_database
from relay.gcp.publisher import Publisher, create_publisher
from relay.gemini.api import GeminiApi
from relay.log import log
from relay.reconciler.adoption import Adoption
from relay.reconciler.asking import Asking
from relay.reconciler.lease import take
from relay.reconciler.report import Report
from relay.reconciler.run import Run
from relay.reconciler.settings import Settings
from relay.reconciler.worker import Worker
from relay.web.identity import IdentityCheck, create_identity_check
from relay.web.replies import Reply, silence_disconnect_errors

_CALL_SECONDS = 20.0

_BUSY = Reply(409, b'{"error":"another run is at work"}')
_UNAVAILABLE = Reply(503, b'{"error":"unavailable"}', {"Retry-After": "60"})
_REFUSALS = {
    401: Reply(401, b'{"error":"unauthorized"}'),
    403: Reply(403, b'{"error":"forbidden"}'),
    404: Reply(404, b'{"error":"not found"}'),
    405: Reply(405, b'{"error":"method not allowed"}', {"Allow": "POST"}),
}


class Reconciler:
    """Answers requests, each with one run. `now` returns the time in UTC."""

    def __init__(
        self,
        settings: Settings,
        jobs: SearchableDatabase,
        ledger: SearchableDatabase,
        publisher: Publisher,
        api: GeminiApi,
        identity: IdentityCheck | None,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._ledger = ledger
        self._publisher = publisher
        self._api = api
        self._identity = identity
        self._now = now

    async def __call__(self, request: Request) -> Reply:
        """Answer one request."""
        try:
            await self._admit(request)
            report = await self._run()
        except Refused as refused:
            log("WARNING", "request refused", reason=refused.reason)
            return _REFUSALS[refused.status]
        except GeminiRefused as refused:
            log("ERROR", "key refused", status=refused.status, code=refused.code)
            return Reply.json(502, {"error": refused.reason})
        except Unavailable as failure:
            log("ERROR", "run failed", reason=failure.reason)
            return _UNAVAILABLE
        if report is None:
            log("WARNING", "another run is at work")
            return _BUSY
        log("INFO", "run ended", **report.body())
        return Reply.json(200, report.body())

    async def _admit(self, request: Request) -> None:
        if request.url.path != "/":
            raise Refused(404, "path")
        if request.method != "POST":
            raise Refused(405, "method")
        if self._identity:
            await self._identity.check(request.scope["headers"])

    async def _run(self) -> Report | None:
        lease = await take(self._jobs, self._now(), self._settings.lease)
        if lease is None:
            return None
        try:
            return await self._prepared()()
        finally:
            await lease.end(self._now())

    def _prepared(self) -> Run:
        settings, asking = self._settings, Asking(self._api)
        worker = Worker(settings, self._jobs, self._ledger, self._publisher, asking, self._now)
        adoption = Adoption(self._jobs, self._now) if settings.adopt else None
        return Run(settings, self._jobs, asking, worker, adoption, self._now)


def create(environ: Mapping[str, str]) -> Reconciler:
    """Make the reconciler of this environment; raises `ConfigurationError` if it is wrong."""
    settings = Settings.read(environ)
    identity = create_identity_check(Environment(environ))
    silence_disconnect_errors()
    api = GeminiApi(api_key=settings.api_key, base_url=settings.base_url, timeout=_CALL_SECONDS)
    # Safe before the server forks: all connect at the first call.
    jobs, ledger = (
        create_database(environ, name) for name in ("JOBS_DATABASE", "FIRESTORE_DATABASE")
    )
    return Reconciler(settings, jobs, ledger, create_publisher(environ), api, identity, _now)


def _now() -> datetime:
    return datetime.now(UTC)
