"""The library for code that awaits; `Jobs` is the same for code that blocks."""

import os
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx2

from gemini_relay import conversation, files, request
from gemini_relay.clock import Clock
from gemini_relay.ending import Ender
from gemini_relay.errors import JobFailed, NotFound, StartUnknown, WaitTimeout
from gemini_relay.gemini import Gemini
from gemini_relay.job import Job
from gemini_relay.lookup import Lookup
from gemini_relay.settings import Settings
from gemini_relay.starting import Accepted, Draft, Starter
from gemini_relay.streaming import Connection, Follower
from gemini_relay.waiting import Until, Waiter, settled
from relay.jobs import names, replies, states

if TYPE_CHECKING:
    from gemini_relay.ledger import Ledger

Deadline = datetime | timedelta | None

_CANCEL_SECONDS = 60.0
_GOES_ON = frozenset({"queued", "in_progress"})
_PAUSE, _LONGEST_PAUSE = 0.5, 5.0


class AsyncJobs:
    """Starts jobs at Gemini, and follows them. It belongs to the event loop that first uses it.

    Every method raises `JobsError`. Further keywords of the calls that start a job go to the SDK,
    and results are the SDK's objects. Use it in an `async with` block, or call `close`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock or Clock()
        self._gemini = Gemini(settings, transport)
        self._ledger = _ledger(settings)
        self._lookup = Lookup(self._gemini, self._ledger, self._clock)
        self._starter = Starter(self._lookup)
        self._waiter = Waiter(self._lookup)
        self._ender = Ender(self._lookup)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Make it as the environment says; raises `ConfigurationError`.

        `GEMINI_API_KEY`; `JOBS_DATABASE` with `GOOGLE_CLOUD_PROJECT` for a ledger, without which
        `key`, `list` and `restart` do not work; `WEBHOOK_URIS`; `GOOGLE_GEMINI_BASE_URL`;
        `FIRESTORE_EMULATOR_HOST`.
        """
        return cls(Settings.of(os.environ if environ is None else environ))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. Jobs go on."""
        await self._gemini.close()
        if self._ledger is not None:
            await self._ledger.close()

    async def interaction(
        self,
        *,
        input: Any,  # noqa: A002 - the SDK's word
        model: str | None = None,
        agent: str | None = None,
        key: str | None = None,
        metadata: Mapping[str, str] | None = None,
        deadline: Deadline = None,
        **sdk: Any,
    ) -> Job:
        """Start an interaction in the background, once under `key`, and return it at once.

        Its events bear `metadata`. After `deadline`, a moment or a time from now,
        `relay.job.overdue` is announced. Where another process is starting the job, this waits for
        that, two minutes at most. A request that Gemini has refused is refused again under its key
        without a post, until `restart`; a corrected one is started. Raises `Refused`,
        `Unavailable`, `StartUnknown` and `KeyTaken`.
        """
        if bool(model) == bool(agent):
            raise ValueError("give model or agent, one of them")
        if sdk.get("background", True) is not True or sdk.get("store", True) is not True:
            raise ValueError("a job runs in the background, and is stored")
        if unfit := {"request", "stream"} & set(sdk):
            raise ValueError(f"{unfit.pop()} does not fit a job; see Jobs.stream")
        target = {"model": model} if model else {"agent": agent}
        given = {**sdk, **target, "input": input, "background": True, "store": True}
        config = given.pop("webhook_config", None)

        async def post(_job: str, user_metadata: Mapping[str, str]) -> Accepted:
            webhook = self._webhook_config(config, user_metadata)
            body = {**given, "webhook_config": webhook} if webhook else given
            reply = await self._gemini.sdk.interactions.create(**body)
            return Accepted(str(reply.id or ""), states.normal_status(str(reply.status or "")))

        previous = sdk.get("previous_interaction_id")
        return await self._start(
            names.INTERACTION, model or agent or "", post, given, key, metadata, deadline, previous
        )

    async def batch(
        self,
        *,
        model: str,
        src: Any,
        key: str | None = None,
        metadata: Mapping[str, str] | None = None,
        deadline: Deadline = None,
        **config: Any,
    ) -> Job:
        """Start a batch from a file (`files/…`) or a list of requests, once under `key`.

        `config` holds the fields of the SDK's `CreateBatchJobConfig`. The display name ends in the
        job's id, by which a batch is found whose start is unknown. Raises as `interaction` does.
        """
        given = dict(config)
        webhook_config = given.pop("webhook_config", None)

        async def post(job: str, user_metadata: Mapping[str, str]) -> Accepted:
            shown = f"{given.get('display_name') or ''} {job}".strip()
            whole = {**given, "display_name": shown, "http_options": _once(given)}
            if webhook := self._webhook_config(webhook_config, user_metadata):
                whole["webhook_config"] = webhook
            options: Any = whole
            reply = await self._gemini.sdk.batches.create(model=model, src=src, config=options)
            state = getattr(reply.state, "value", reply.state)
            return Accepted(str(reply.name or ""), states.normal_status(str(state or "")))

        sent = {**config, "src": src}
        return await self._start(names.BATCH, model, post, sent, key, metadata, deadline)

    async def video(
        self,
        *,
        model: str,
        prompt: str | None = None,
        key: str | None = None,
        metadata: Mapping[str, str] | None = None,
        deadline: Deadline = None,
        **config: Any,
    ) -> Job:
        """Start a video's generation over REST, which the SDK 3.x refuses, once under `key`.

        `config` holds the fields of the SDK's `GenerateVideosConfig`, `image` and `video`. Raises
        as `interaction` does.
        """
        given = dict(config)
        webhook_config = given.pop("webhook_config", None)

        async def post(_job: str, user_metadata: Mapping[str, str]) -> Accepted:
            webhook = self._webhook_config(webhook_config, user_metadata)
            body = request.video_body(prompt, given, webhook)
            reply = await self._gemini.create_video(model, body)
            return Accepted(str(reply.get("name") or ""), replies.read(names.VIDEO, reply).status)

        sent = {**config, "prompt": prompt}
        return await self._start(names.VIDEO, model, post, sent, key, metadata, deadline)

    async def get(self, id: str) -> Job:  # noqa: A002 - the API's word
        """Return a job by its id, or by the name that Gemini gave it. Raises `NotFound`."""
        return await self._lookup.get(id)

    async def list(self, *, state: str = "", kind: str = "", limit: int = 50) -> Sequence[Job]:
        """Return up to `limit` of the newest 10,000 jobs in the ledger, the newest first."""
        ledger = self._lookup.needed("list")
        return [Job.of(each.record) for each in await ledger.newest(state, kind, limit)]

    async def refresh(self, job: Job) -> Job:
        """Ask Gemini about a job, record what it says, and return the job.

        A job that Gemini does not know within 24 hours of its start is left as it is. Raises
        `NotFound`, `Unavailable` and `Refused`, and without a ledger `StartUnknown` for an unknown
        start of which nothing can tell: any but a batch's.
        """
        return await self._lookup.refresh(job)

    async def restart(self, job: Job) -> Job:
        """Start a job again whose start is unknown or was refused, under another token.

        A batch that is found by its display name is returned instead. The ledger has no request, so
        this posts only where this object made the attempt that failed. Elsewhere it frees the key:
        the next start under it, with any request, posts. If Gemini had started the job after all,
        there are two. Raises `JobsError` for a job that is known to have been started, or was
        started again since, `StartUnknown` while the POST of another process may be under way, for
        two minutes, and what a start raises.
        """
        return await self._starter.restart(job)

    async def wait(self, job: Job, *, timeout: float | None = None, until: Until = "end") -> Job:
        """Return a job once it has ended, however; `until="action"`: or waits for an answer.

        A job that is lost is not waited for. Raises `WaitTimeout` after `timeout` seconds, and as
        `refresh` does, except `Unavailable`.
        """
        return (await self._waiter.wait([job], timeout, until))[0]

    async def wait_many(
        self, jobs: Iterable[Job], *, timeout: float | None = None, until: Until = "end"
    ) -> Sequence[Job]:
        """Wait for all of the jobs, and return them in the same order; see `wait`."""
        return await self._waiter.wait([*jobs], timeout, until)

    async def stream(
        self, job: Job, *, after: str | None = None, idle: float = 120.0
    ) -> AsyncGenerator[Any, None]:
        """Yield the SDK's events of an interaction, over all cuts, until it has ended.

        Events with an `event_id` come once and in order; give the last one seen as `after` to go on
        from there. After `idle` seconds of silence a plain GET decides. It also ends where the
        interaction waits for an answer. Raises `NotFound` and `Refused`.
        """
        job = await self._lookup.current(job)
        name = _interaction(job)

        async def connect(last: str | None) -> Connection:
            # Longer than `idle`, which decides.
            call = self._gemini.sdk.interactions.get
            query: Any = {"stream": True, "last_event_id": last, "timeout": idle + 30}
            return await self._gemini.call(f"stream {name}", lambda: call(name, **query))

        async def over() -> bool:
            return settled(await self._lookup.refresh(job), "action")

        follower = Follower(connect, over, after=after, idle=idle, sleep=self._clock.sleep)
        async for event in follower.events():
            yield event

    async def pending(self, job: Job) -> Sequence[Any]:
        """Return the SDK's `function_call` steps of an interaction that have no result yet.

        A question that is no call is text: the SDK has no other form.
        """
        return conversation.pending(await self._shown(await self._lookup.current(job)))

    async def answer(
        self,
        job: Job,
        values: Mapping[str, Any] | str,
        *,
        wait: float | None = None,
        key: str | None = None,
        metadata: Mapping[str, str] | None = None,
        deadline: Deadline = None,
        **sdk: Any,
    ) -> Job:
        """Answer an interaction that requires action, and return the one that goes on from it.

        `values` is a text, or holds each call's result by its id. Waits up to `wait` seconds for
        the question. The metadata is the job's unless it is given.
        """
        previous, job = await self._previous(job, wait)
        calls = conversation.pending(previous)
        given = conversation.answers(calls, values)
        return await self._go_on(job, previous, given, key, metadata, deadline, sdk)

    async def follow_up(
        self,
        job: Job,
        *,
        input: Any,  # noqa: A002 - the SDK's word
        wait: float | None = None,
        key: str | None = None,
        metadata: Mapping[str, str] | None = None,
        deadline: Deadline = None,
        **sdk: Any,
    ) -> Job:
        """Start an interaction that goes on from one that has succeeded; see `answer`.

        Waits up to `wait` seconds for that end. Raises `JobFailed` for another end.
        """
        job = await self.wait(job, timeout=wait)
        if not job.succeeded:
            raise JobFailed(job)
        previous, job = await self._previous(job, wait)
        return await self._go_on(job, previous, input, key, metadata, deadline, sdk)

    async def cancel(self, job: Job, *, wait: float = _CANCEL_SECONDS) -> Job:
        """Cancel an interaction or a batch, and return it once Gemini shows that it has ended.

        Raises `WaitTimeout` after `wait` seconds, `NotFound`, and `Refused` with the code
        `METHOD_NOT_FOUND` where Gemini cannot cancel this job, or `NOT_CANCELLABLE` for a video.
        """
        return await self._ender.cancel(job, wait)

    async def delete(self, job: Job, *, wait: float = _CANCEL_SECONDS) -> Job:
        """Cancel a job if it runs, then delete it at Gemini. One that is gone counts as deleted.

        Raises as `cancel` does, for a video that runs too (`NOT_CANCELLABLE`), and `NotFound` where
        Gemini does not know the job within 24 hours of its start: it may still appear, and run.
        """
        return await self._ender.delete(job, wait)

    async def result(self, job: Job) -> Any:
        """Return the SDK's object of a job that has succeeded.

        That is an `Interaction`, a `BatchJob` or a `GenerateVideosOperation`. Raises `JobFailed`
        for another end, and `WaitTimeout` for a job that goes on.
        """
        job = await self._succeeded(job)
        if job.kind == names.INTERACTION:
            return await self._shown(job)
        name = job.name or ""
        if job.kind == names.VIDEO:
            return await self._gemini.video(name)
        get = self._gemini.sdk.batches.get
        return await self._gemini.call(f"get {name}", lambda: get(name=name))

    async def download(self, job: Job, directory: str | Path) -> Sequence[Path]:
        """Stream the result of a job that has succeeded into files, and return their paths.

        The directory is made if it is missing. A batch's file is JSONL, a video MP4; an interaction
        and an inline batch are the API's JSON, byte for byte. A download that is cut leaves no
        file. Raises as `result` does, and `JobsError` where the files cannot be written.
        """
        job = await self._succeeded(job)
        name = job.name or ""
        only = replies.Seen("") if job.kind == names.INTERACTION else None
        seen = only or await self._lookup.look(job.kind, name)
        target = Path(directory)
        await files.directory(target)
        return [
            await files.download(self._gemini, path, target / file)
            for path, file in files.sources(job, seen)
        ]

    async def _start(
        self,
        kind: str,
        target: str,
        post: Any,
        sent: Mapping[str, Any],
        key: str | None,
        metadata: Mapping[str, str] | None,
        deadline: Deadline,
        previous: str | None = None,
    ) -> Job:
        key, kept = request.checked_key(key), request.checked_metadata(metadata)
        digest = None
        if key is not None:
            digest = request.fingerprint(kind, target, {**sent, "metadata": kept})
        moment = self._clock.now() + deadline if isinstance(deadline, timedelta) else deadline
        if moment is not None and moment.tzinfo is None:
            raise ValueError("deadline must have a time zone")
        return await self._starter.start(
            Draft(
                kind=kind,
                target=target,
                post=post,
                metadata=kept,
                key=key,
                fingerprint=digest,
                previous=previous,
                deadline=moment,
            )
        )

    def _webhook_config(self, given: Any, metadata: Mapping[str, str]) -> dict[str, Any]:
        """Return what makes the events bear the metadata.

        Without URIs the registered webhook stays, whose HMAC proves that our project caused them.
        """
        if hasattr(given, "model_dump"):
            given = given.model_dump(exclude_none=True)
        config: dict[str, Any] = dict(given or {})
        if whole := {**(config.get("user_metadata") or {}), **metadata}:
            config["user_metadata"] = whole
        if self._settings.webhook_uris:
            config.setdefault("uris", list(self._settings.webhook_uris))
        return config

    async def _go_on(
        self,
        job: Job,
        previous: Any,
        given: Any,
        key: str | None,
        metadata: Mapping[str, str] | None,
        deadline: Deadline,
        sdk: Mapping[str, Any],
    ) -> Job:
        carried = {**conversation.going_on(previous), **sdk}
        return await self.interaction(
            input=given,
            key=key,
            metadata=job.metadata if metadata is None else metadata,
            deadline=deadline,
            **carried,
        )

    async def _previous(self, job: Job, wait: float | None) -> tuple[Any, Job]:
        """Return an interaction that no longer goes on, which a lagging GET may still deny."""
        start, pause = self._clock.monotonic(), _PAUSE
        job = await self.wait(job, timeout=wait, until="action")
        while True:
            shown = await self._shown(job)
            if str(shown.status) not in _GOES_ON:
                return shown, job
            if wait is not None and self._clock.monotonic() - start >= wait:
                raise WaitTimeout(job)
            await self._clock.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _shown(self, job: Job) -> Any:
        name, get = _interaction(job), self._gemini.sdk.interactions.get
        return await self._gemini.call(f"get {name}", lambda: get(name))

    async def _succeeded(self, job: Job) -> Job:
        job = await self._lookup.current(job)
        if not job.ended:
            job = await self._lookup.refresh(job)
        if not job.ended:
            raise WaitTimeout(job)
        if not job.succeeded:
            raise JobFailed(job)
        return job


def _once(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of one call, which must not repeat it."""
    given = config.get("http_options") or {}
    options = given.model_dump(exclude_none=True) if hasattr(given, "model_dump") else dict(given)
    return {**options, "retry_options": {"attempts": 1}}


def _interaction(job: Job) -> str:
    """Return the name of an interaction."""
    if job.kind != names.INTERACTION:
        raise ValueError(f"{job.id} is a {job.kind}, and this is for interactions")
    if job.name is None:
        raise (
            StartUnknown(job) if job.state == states.STARTING else NotFound(f"{job.id} has no name")
        )
    return job.name


def _ledger(settings: Settings) -> "Ledger | None":
    if not settings.database:
        return None
    # Needs the extra `ledger`.
    from gemini_relay.ledger import Ledger

    return Ledger(settings)
