"""Collecting one result: from Gemini into the bucket as it arrives, then announced."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from relay import ingress
from relay.collector import results
from relay.collector.results import EXPIRED, NOT_FETCHABLE, Announced, NotFetchable, Result
from relay.collector.settings import Settings
from relay.errors import GeminiRefused, PublishRefused, RelayError, Unavailable
from relay.gcp.deadletter import publish_dead_letter
from relay.gcp.objects import Bucket, Stored
from relay.gcp.publisher import Publisher
from relay.gemini.api import Body, GeminiApi
from relay.gemini.skim import Skimmer
from relay.jobs import names, replies, states
from relay.log import log
from relay.web.push import PushedMessage

SCHEME = "collected"

BUDGET_SECONDS = 540.0
"""How long one result may take: Pub/Sub waits for ten minutes at most."""

GIVE_UP = timedelta(hours=48)
"""How long a result is tried for: Gemini keeps files no longer."""

_PUBLISH_SECONDS = 15.0
_NOT_FOUND, _GONE = 404, 410
_HIDDEN = "may not exist"
_MEMBERS = frozenset(
    {
        *("done", "error", "errors", "metadata", "output", "response"),
        *("responsesFile", "state", "status"),
    }
)


class _InFile(RelayError):
    """A batch's results are in a file, which its description names."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.file = file


class _NoFile(RelayError):
    """Gemini has no such file any more. Of a job, it may only not know yet that there is one."""


class Collector:
    """Handles the messages of the events topic. `now` returns the time in UTC."""

    def __init__(
        self,
        settings: Settings,
        gemini: GeminiApi,
        bucket: Bucket,
        publisher: Publisher,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._gemini = gemini
        self._bucket = bucket
        self._publisher = publisher
        self._now = now

    async def handle(self, message: PushedMessage) -> None:
        """Collect the result that a message announces, if any.

        What can never be fetched becomes a dead letter. Raises `Unavailable` where Pub/Sub must
        deliver the message again.
        """
        event = results.read(message.data)
        try:
            result = results.result(event, self._gemini.base_url) if event else None
        except NotFetchable as refused:
            log("WARNING", "result not fetchable", problem=str(refused))
            await self._set_aside(message, NOT_FETCHABLE)
            return
        if event is None or result is None:
            return
        try:
            async with asyncio.timeout(BUDGET_SECONDS):
                await self._collect(event, result)
        except _NoFile:
            await self._set_aside(message, EXPIRED)
        except GeminiRefused as refused:
            await self._refused(message, refused)
        except (TimeoutError, Unavailable) as failure:
            reason = failure.reason if isinstance(failure, Unavailable) else "result-cut-short"
            await self._put_off(message, reason)

    async def _collect(self, event: Announced, result: Result) -> None:
        try:
            stored = await self._store(result)
        except _InFile as found:
            result = result.in_file(found.file)
            stored = await self._store(result)
        await self._announce(event, result, stored)

    async def _store(self, result: Result) -> Stored:
        try:
            async with self._gemini.stream("download", result.path, query=result.query) as body:
                chunks = _described(result.kind, body) if result.described else _whole(body)
                return await self._bucket.create(result.object_name, result.content_type, chunks)
        except GeminiRefused as refused:
            if refused.status == _NOT_FOUND and not result.described:
                raise _NoFile(result.path) from None
            raise

    async def _announce(self, event: Announced, result: Result, stored: Stored) -> None:
        uri = f"gs://{self._bucket.name}/{result.object_name}"
        entry: dict[str, object] = {"uri": uri, "content_type": result.content_type}
        if stored.made or not result.described:
            # A description may have gained members since the object was made; a file does not.
            entry |= {"size": stored.size, "crc32c": stored.crc32c}
        data = {"id": event.name, "objects": [entry], "user_metadata": event.metadata}
        body, attributes = ingress.message(
            event_id(uri), SCHEME, states.COLLECTED_TYPE, data, self._now()
        )
        topic = self._settings.ingress_topic
        try:
            await self._publisher.publish(topic, body, attributes, timeout=_PUBLISH_SECONDS)
        except PublishRefused as refused:
            raise Unavailable("publish-refused") from refused
        size, made = stored.size, stored.made
        log("INFO", "result collected", type=event.type, uri=uri, size=size, made=made)

    async def _refused(self, message: PushedMessage, refused: GeminiRefused) -> None:
        if refused.status == _GONE:
            await self._set_aside(message, EXPIRED)
            return
        # Gemini says of a file that is not there that the caller may not see it:
        # https://github.com/google-gemini/deprecated-generative-ai-js/issues/236
        if refused.key_refused and _HIDDEN not in refused.reason:
            log("ERROR", "key refused", status=refused.status, code=refused.code)
        await self._put_off(message, f"gemini-{refused.status or 'unreachable'}")

    async def _put_off(self, message: PushedMessage, reason: str) -> None:
        published = ingress.parse_time(message.publish_time)
        if published is not None and self._now() - published > GIVE_UP:
            log("ERROR", "result given up", reason=reason)
            await self._set_aside(message, EXPIRED)
            return
        raise Unavailable(reason)

    async def _set_aside(self, message: PushedMessage, reason: str) -> None:
        identifier = message.attributes.get("ce-id", "")
        # A replay of the dead letter goes to the ingress topic, whose ledger knows the event as
        # done. It is to come back here, and for that to the events topic alone.
        replay = {
            "webhook-id": identifier,
            "dedup-key": identifier,
            "replay": f"collect-{message.message_id}",
            "replay-route": "events",
        }
        attributes = {**replay, **message.attributes, **replay}
        topic, timeout = self._settings.dead_letter_topic, _PUBLISH_SECONDS
        await publish_dead_letter(
            self._publisher, topic, message.data, attributes, reason, timeout=timeout
        )
        log("ERROR", "dead letter", message_id=message.message_id, reason=reason)


def event_id(uri: str) -> str:
    """Return the `webhook-id` and `dedup-key` of the event of an object: always the same."""
    return "col_" + hashlib.sha256(uri.encode()).hexdigest()[:32]


async def _whole(body: Body) -> AsyncIterator[bytes]:
    """Yield a file's bytes; raises `Unavailable` where they are not as many as declared."""
    size = 0
    async for chunk in body:
        size += len(chunk)
        yield chunk
    if body.length not in {None, size}:
        raise Unavailable("download-cut")


async def _described(kind: str, body: Body) -> AsyncIterator[bytes]:
    """Yield the bytes of a job's description, then check that it has the result.

    Raises `Unavailable` where it is not whole, or not yet that of a job that has ended.
    """
    skimmer = Skimmer(_MEMBERS)
    try:
        async for chunk in _whole(body):
            skimmer.feed(chunk)
            yield chunk
        found = skimmer.result()
    except (ValueError, RecursionError):
        raise Unavailable("not-json") from None
    if not isinstance(found, dict):
        raise Unavailable("not-json")
    seen = replies.read(kind, found)
    if seen.outcome is None:
        # An answer may lag behind its event.
        raise Unavailable("result-lags")
    if kind == names.BATCH and seen.files:
        raise _InFile(seen.files[0])
