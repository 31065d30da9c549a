"""Handling one ingress message: claim, settle its job, fan out, record."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime
from enum import Enum
from functools import partial

from relay.dispatcher import claims
from relay.dispatcher import event as events
from relay.dispatcher.claims import Verdict
from relay.dispatcher.event import Event
from relay.dispatcher.fanout import Progress, fan_out
from relay.dispatcher.jobs import Jobs, Settled
from relay.dispatcher.ledger import Claim, Ending, Ledger
from relay.dispatcher.routes import Route, select
from relay.dispatcher.settings import Settings
from relay.dispatcher.stopping import Stopping
from relay.errors import Poison, PublishRefused, Unavailable
from relay.gcp.deadletter import publish_dead_letter
from relay.gcp.publisher import Publisher
from relay.gcp.store import LedgerUnavailable, Store
from relay.log import log
from relay.web.push import PushedMessage

UNKNOWN_ROUTE = "unknown-route"

# From the stop signal: four seconds for publishes in flight, five to record their outcome, and one
# to spare before the platform kills the process.
_GRACE_SECONDS = 4.0
_RECORD_SECONDS = 5.0
_RECORD_PAUSE_SECONDS = 1.0


class Outcome(Enum):
    """The outcome of one push. All but `BUSY` and `UNFINISHED` leave nothing to do."""

    DONE = "done"
    DUPLICATE = "duplicate"
    ABSORBED = "absorbed"
    DEAD_LETTERED = "dead-lettered"
    BUSY = "busy"
    UNFINISHED = "unfinished"


class Worker:
    """Handles messages on one event loop. `now` returns the time in UTC; `jobs` may be None."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        publisher: Publisher,
        now: Callable[[], datetime],
        jobs: Jobs | None = None,
    ) -> None:
        self._settings = settings
        self._ledger = Ledger(store, settings.terms, now)
        self._jobs = jobs
        self._publisher = publisher
        self.stopping = Stopping(_GRACE_SECONDS)

    async def handle(self, message: PushedMessage) -> Outcome:
        """Do what remains to be done for one message, within the budget.

        Raises `Unavailable` where Pub/Sub must deliver the message again.
        """
        deadline = asyncio.get_running_loop().time() + self._settings.terms.budget
        try:
            event = events.read(message, source=self._settings.source)
            routes = self._routes(event)
        except Poison as poison:
            return await self._set_aside(message, poison.reason, deadline)
        outcome = await self._relay(message, event, routes, deadline)
        log(
            "INFO",
            "event handled",
            id=event.id,
            type=event.type,
            outcome=outcome.value,
            message_id=message.message_id,
            delivery_attempt=message.delivery_attempt,
        )
        return outcome

    async def _relay(
        self, message: PushedMessage, event: Event, routes: Iterable[Route], deadline: float
    ) -> Outcome:
        claim = await self._claim(event, deadline)
        if isinstance(claim, Verdict):
            return Outcome.DUPLICATE if claim is Verdict.DUPLICATE else Outcome.BUSY
        try:
            settled = await self._settle(event, deadline)
        except Unavailable as failure:
            log("ERROR", "job out of reach", id=event.id, type=event.type, reason=failure.reason)
            # The lease ends at once, so that the next attempt resumes from here.
            state, outcome = claims.CLAIMED, Outcome.UNFINISHED
            return await self._end(claim, state, outcome, claim.routes_done, deadline)
        if settled.absorbed_by:
            state, outcome, by = claims.DONE, Outcome.ABSORBED, settled.absorbed_by
            return await self._end(claim, state, outcome, (), deadline, absorbed_by=by)
        if settled.job:
            event = event.of_job(settled.job)
        left = [route for route in routes if route.name not in claim.routes_done]
        progress = await fan_out(event, left, self._publisher, self.stopping, deadline=deadline)
        return await self._conclude(message, claim, progress, deadline)

    def _routes(self, event: Event) -> tuple[Route, ...]:
        if not event.route:
            return select(self._settings.routes, event.type, event.metadata)
        named = tuple(route for route in self._settings.routes if route.name == event.route)
        if not named:
            raise Poison(UNKNOWN_ROUTE)
        return named

    async def _claim(self, event: Event, deadline: float) -> Claim | Verdict:
        try:
            async with self.stopping.limit(deadline):
                return await self._ledger.claim(event, deadline)
        except TimeoutError:
            raise Unavailable("claim-cut-short") from None

    async def _settle(self, event: Event, deadline: float) -> Settled:
        if self._jobs is None:
            return Settled()
        try:
            async with self.stopping.limit(deadline):
                return await self._jobs.settle(event)
        except TimeoutError:
            raise Unavailable("job-cut-short") from None

    async def _conclude(
        self, message: PushedMessage, claim: Claim, progress: Progress, deadline: float
    ) -> Outcome:
        progress.done.update(claim.routes_done)
        state, outcome = claims.DONE, Outcome.DONE
        if progress.failed:
            # The lease ends at once, so that the next attempt resumes from here.
            state, outcome = claims.CLAIMED, Outcome.UNFINISHED
        elif progress.refused:
            reason, final = PublishRefused.REASON, claims.DEAD_LETTERED
            state, outcome = await self._give_up(message, reason, final)
        return await self._end(claim, state, outcome, progress.done, deadline)

    async def _set_aside(self, message: PushedMessage, reason: str, deadline: float) -> Outcome:
        claim = await self._claim(events.poison(message), deadline)
        if isinstance(claim, Verdict):
            return Outcome.DUPLICATE if claim is Verdict.DUPLICATE else Outcome.BUSY
        state, outcome = await self._give_up(message, reason, claims.POISON)
        return await self._end(claim, state, outcome, (), deadline)

    async def _give_up(
        self, message: PushedMessage, reason: str, final: str
    ) -> tuple[str, Outcome]:
        deadline = asyncio.get_running_loop().time() + _RECORD_SECONDS
        try:
            await self._dead_letter(message, reason, deadline)
        except Unavailable as failure:
            log("ERROR", "dead letter failed", reason=failure.reason)
            return claims.CLAIMED, Outcome.UNFINISHED
        return final, Outcome.DEAD_LETTERED

    async def _end(
        self,
        claim: Claim,
        state: str,
        outcome: Outcome,
        done: Collection[str],
        deadline: float,
        *,
        absorbed_by: str = "",
    ) -> Outcome:
        end = partial(self._ledger.end, claim, state, done, absorbed_by=absorbed_by)
        ending = await self._record(claim, end, deadline)
        if ending is Ending.ALREADY_DONE:
            return Outcome.DONE
        return Outcome.BUSY if ending is Ending.LOST else outcome

    async def _record(
        self, claim: Claim, end: Callable[[], Awaitable[Ending]], deadline: float
    ) -> Ending:
        # A publish that is not recorded is repeated, so the record is retried until the deadline,
        # and attempted once in any case.
        while True:
            try:
                async with asyncio.timeout(_RECORD_SECONDS):
                    return await end()
            except (TimeoutError, LedgerUnavailable) as failure:
                log("ERROR", "record failed", document=claim.document, reason=str(failure))
            try:
                async with self.stopping.limit(deadline):
                    await asyncio.sleep(_RECORD_PAUSE_SECONDS)
            except TimeoutError:
                raise Unavailable("record-cut-short") from None

    async def _dead_letter(self, message: PushedMessage, reason: str, deadline: float) -> None:
        publisher, topic = self._publisher, self._settings.dead_letter_topic
        data, attributes = message.data, message.attributes
        try:
            async with self.stopping.limit(deadline):
                timeout = max(0.0, deadline - asyncio.get_running_loop().time())
                await publish_dead_letter(
                    publisher, topic, data, attributes, reason, timeout=timeout
                )
        except TimeoutError as error:
            # The subscription keeps the message, and dead-letters it after its last attempt.
            raise Unavailable("dead-letter-unpublished") from error
        log("ERROR", "dead letter", message_id=message.message_id, reason=reason)
