"""What all kinds of job share: dynamic webhooks, storage, and scheduled ends."""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from localcloud.core.clock import Clock
from localcloud.gemini.errors import GoogleError, not_found
from localcloud.gemini.settings import Settings
from localcloud.gemini.uris import check_uri

_MAX_URIS = 10


Fate = Literal["sent", "lost", "late", "doubled"]
"""What becomes of a webhook."""


class Announce(Protocol):
    """Sends the event of a job: to its dynamic webhooks if it has some, else to the registered."""

    def __call__(
        self,
        event_type: str,
        data: Mapping[str, Any],
        config: "WebhookConfig",
        fate: Fate | None = None,
    ) -> None:
        """Start the deliveries; without a `fate`, the settings' shares decide it."""
        ...


@dataclass(frozen=True)
class WebhookConfig:
    """The dynamic webhooks of a job, and what is returned on each of its events."""

    uris: tuple[str, ...] = ()
    user_metadata: Mapping[str, Any] | None = None


def webhook_config(value: object) -> WebhookConfig:
    """Read `{"uris", "user_metadata"}`, also in camelCase; None is an empty one."""
    if value is None:
        return WebhookConfig()
    if not isinstance(value, dict):
        raise GoogleError(400, "webhook_config must be an object.")
    uris = value.get("uris") or []
    metadata = value.get("user_metadata", value.get("userMetadata"))
    if not isinstance(uris, list) or len(uris) > _MAX_URIS:
        raise GoogleError(400, f"webhook_config.uris must be a list of at most {_MAX_URIS} URIs.")
    if metadata is not None and not isinstance(metadata, dict):
        raise GoogleError(400, "webhook_config.user_metadata must be an object.")
    return WebhookConfig(tuple(check_uri(uri) for uri in uris), metadata)


Job = TypeVar("Job")


class Jobs(Generic[Job]):
    """Jobs of one kind by id, oldest first; the oldest are dropped over a limit."""

    def __init__(self, kind: str, clock: Clock, settings: Settings) -> None:
        self.clock = clock
        self.settings = settings
        self._kind = kind
        self._jobs: dict[str, Job] = {}
        self._deleted: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._chance = random.Random(f"{kind} {settings.seed}")  # noqa: S311 - not a secret

    def __iter__(self) -> Iterator[Job]:
        """Iterate over the jobs that can be found, oldest first."""
        return iter([job for name, job in self._jobs.items() if name not in self._deleted])

    def everything(self) -> Iterator[Job]:
        """Iterate over all jobs, also those deleted, which run on."""
        return iter(tuple(self._jobs.values()))

    def find(self, identifier: str) -> Job:
        """Return a job, or raise the 404."""
        if identifier in self._jobs and identifier not in self._deleted:
            return self._jobs[identifier]
        raise not_found(self._kind, identifier)

    def add(self, identifier: str, job: Job) -> None:
        """Keep a job."""
        self._jobs[identifier] = job
        if len(self._jobs) > self.settings.max_jobs:
            oldest = next(iter(self._jobs))
            del self._jobs[oldest]
            self._deleted.discard(oldest)

    def remove(self, identifier: str) -> None:
        """Let a job not be found any more, or raise the 404; it runs on, and announces its end."""
        self.find(identifier)
        self._deleted.add(identifier)

    def draw_stuck(self) -> bool:
        """Return whether the clock never ends the next job."""
        return self._chance.random() < self.settings.stuck_jobs

    def later(self, seconds: float | None, action: Callable[[], None]) -> None:
        """Do something after that many seconds by the scaled clock; never, if None."""
        if seconds is None:
            return

        async def wait() -> None:
            await self.clock.sleep(seconds / self.settings.time_scale)
            action()

        task = asyncio.get_running_loop().create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel the ends of jobs that are scheduled."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
