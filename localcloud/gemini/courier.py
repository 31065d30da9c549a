"""Sends deliveries: attempts, retries with backoff, and disabling of failing endpoints."""

import asyncio
from collections.abc import Iterable

import httpx2

from localcloud.core.certificates import certificates
from localcloud.core.clock import Clock
from localcloud.gemini.deliveries import Attempt, Delivery
from localcloud.gemini.forge import forge
from localcloud.gemini.keys import KeyRing
from localcloud.gemini.outgoing import Request, Signers, sign
from localcloud.gemini.settings import Settings

# An endpoint's answer means nothing beyond its status.
_ANSWER_BYTES = 1 << 16


class Courier:
    """Delivers at least once: a 2xx ends a delivery, anything else is tried again with backoff.

    Each attempt has its own timestamp and signature; the webhook id stays the same.
    """

    def __init__(
        self,
        clock: Clock,
        settings: Settings,
        keys: KeyRing,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._keys = keys
        self._client = httpx2.AsyncClient(
            transport=transport,
            timeout=settings.attempt_timeout_seconds,
            trust_env=False,
            verify=certificates(),
            headers={"user-agent": "gemini-simulator", "accept-encoding": "identity"},
        )
        self._slots = asyncio.Semaphore(settings.max_concurrent_attempts)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._busy = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    def send(self, delivery: Delivery) -> None:
        """Start a delivery in the background."""
        if not delivery.delay_seconds:
            self._start_work()
        task = asyncio.get_running_loop().create_task(self._deliver(delivery))
        self._tasks[delivery.number] = task
        task.add_done_callback(lambda _task: self._tasks.pop(delivery.number, None))

    async def settled(self, deliveries: Iterable[Delivery], timeout: float) -> None:
        """Return once these deliveries are settled, or after that many real seconds."""
        tasks = [self._tasks[each.number] for each in deliveries if each.number in self._tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)

    async def quiet(self) -> None:
        """Return once no attempt is under way."""
        await self._quiet.wait()

    async def close(self) -> None:
        """Cancel attempts under way."""
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def _deliver(self, delivery: Delivery) -> None:
        if delivery.delay_seconds:
            await self._clock.sleep(delivery.delay_seconds)
            self._start_work()
        try:
            await self._attempt(delivery)
        finally:
            self._end_work()
        for wait in self._waits(delivery):
            await self._clock.sleep(wait)
            self._start_work()
            try:
                await self._attempt(delivery)
            finally:
                self._end_work()

    def _waits(self, delivery: Delivery) -> Iterable[float]:
        # Seconds of the clock before each further attempt, as long as there is to be one.
        scale = self._settings.time_scale
        deadline = self._clock.time() + self._settings.retry_for_seconds / scale
        wait = self._settings.retry_initial_seconds / scale
        while delivery.state == "pending":
            if delivery.forgery or self._clock.time() + wait > deadline:
                delivery.state = "failed"
                return
            yield wait
            longest = self._settings.retry_maximum_seconds / scale
            wait = min(wait * self._settings.retry_multiplier, longest)

    async def _attempt(self, delivery: Delivery) -> None:
        async with self._slots:
            if _disabled(delivery):
                delivery.state = "abandoned"
                return
            request = self._request(delivery)
            at = self._clock.time()
            try:
                attempt = Attempt(at, await self._post(delivery.uri, request))
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                attempt = Attempt(at, None, type(error).__name__)
        delivery.attempts.append(attempt)
        if attempt.succeeded:
            delivery.state = "delivered"
        self._judge(delivery, succeeded=attempt.succeeded)

    def _request(self, delivery: Delivery) -> Request:
        now = self._clock.time()
        timestamp = int(now) if delivery.at is None else delivery.at
        active = delivery.webhook.active_secrets(now) if delivery.webhook else []
        signers = Signers(active, self._keys.ed25519, lambda: self._keys.rsa)
        if delivery.forgery:
            return forge(delivery.forgery, delivery.message, delivery.scheme, timestamp, signers)
        return sign(delivery.message, delivery.scheme, timestamp, signers)

    async def _post(self, uri: str, request: Request) -> int:
        sent = self._client.stream("POST", uri, content=request.body, headers=dict(request.headers))
        async with sent as answer:
            size = 0
            async for chunk in answer.aiter_bytes():
                size += len(chunk)
                if size > _ANSWER_BYTES:
                    break
            return answer.status_code

    def _judge(self, delivery: Delivery, *, succeeded: bool) -> None:
        # An endpoint is not disabled for refusing a forgery or a timestamp that a test chose.
        webhook = delivery.webhook
        if webhook is None or delivery.forgery or delivery.at is not None:
            return
        webhook.failed_attempts = 0 if succeeded else webhook.failed_attempts + 1
        limit = self._settings.disable_after_failed_attempts
        if webhook.state == "enabled" and webhook.failed_attempts >= limit:
            webhook.state = "disabled_due_to_failed_deliveries"
            webhook.updated = self._clock.time()

    def _start_work(self) -> None:
        self._busy += 1
        self._quiet.clear()

    def _end_work(self) -> None:
        self._busy -= 1
        if self._busy == 0:
            self._quiet.set()


def _disabled(delivery: Delivery) -> bool:
    webhook = delivery.webhook
    # A forgery is not sent by Gemini, which alone knows the state.
    if webhook is None or delivery.forgery:
        return False
    return webhook.deleted or webhook.state != "enabled"
