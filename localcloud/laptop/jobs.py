"""Jobs on the laptop: the reconciler and the collector beside a running stack.

The dispatcher follows jobs if its `JOBS_DATABASE` is `DATABASE`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import httpx2
from google.pubsub_v1 import Subscription
from google.pubsub_v1.types import ExpirationPolicy, PushConfig, RetryPolicy

from localcloud.core.certificates import certificates
from localcloud.core.serving import AppServer
from localcloud.laptop.names import Names
from localcloud.laptop.provision import pushing
from localcloud.laptop.stack import PUBSUB, Stack
from localcloud.laptop.webhook import API_KEY
from localcloud.runner.process import FunctionProcess
from localcloud.storage import Objects, application

DATABASE = "jobs"
"""The id of the jobs' Firestore database."""

BUCKET = "results"
"""The bucket that takes the results."""

_EVERY_SECONDS = 60.0
"""How often the reconciler is called; a deployment calls it every 15 minutes."""


@dataclass(frozen=True)
class Followed:
    """The two functions, the objects of the bucket, and what else a client's environment needs."""

    reconcile: FunctionProcess
    collect: FunctionProcess
    objects: Objects
    variables: Mapping[str, str]


@contextlib.asynccontextmanager
async def following(stack: Stack) -> AsyncIterator[Followed]:
    """Follow the jobs of a running stack, and collect their results, while the block lasts.

    Raises `StartFailed` where a function does not start, `LocalCloudError` where Pub/Sub refuses.
    """
    objects = Objects(stack.options.clock)
    async with contextlib.AsyncExitStack() as unwinding:
        storage = AppServer(application(objects, {BUCKET}))
        await unwinding.enter_async_context(storage)
        variables = {"JOBS_DATABASE": DATABASE, "STORAGE_EMULATOR_HOST": storage.url}
        environ = {
            **stack.variables,
            **variables,
            "GEMINI_API_KEY": API_KEY,
            "INGRESS_TOPIC": stack.names.ingress,
            "DEAD_LETTER_TOPIC": stack.names.dead_letter,
            "BUCKET": BUCKET,
        }
        reconcile, collect = (
            FunctionProcess(
                target,
                target=target,
                environ=environ,
                on_line=stack.options.on_line,
                freeze=stack.options.freeze,
            )
            for target in ("reconcile", "collect")
        )
        for function in (reconcile, collect):
            unwinding.push_async_callback(function.close)
            await function.start()
        pushed = pushing(stack.hosts[PUBSUB], _subscription(stack.names, collect.url))
        await unwinding.enter_async_context(pushed)
        await unwinding.enter_async_context(_scheduled(stack, reconcile.url))
        yield Followed(reconcile, collect, objects, variables)


def _subscription(names: Names, endpoint: str) -> Subscription:
    """Return the subscription that pushes the events to the collector, at the deployed pace."""
    token = PushConfig.OidcToken(service_account_email=names.push_identity, audience=endpoint)
    return Subscription(
        name=names.subscription("collect"),
        topic=names.events,
        ack_deadline_seconds=600,
        filter='NOT hasPrefix(attributes.ce-type, "relay.")',
        push_config=PushConfig(push_endpoint=endpoint, oidc_token=token),
        message_retention_duration=timedelta(days=31),
        expiration_policy=ExpirationPolicy(),
        retry_policy=RetryPolicy(
            minimum_backoff=timedelta(seconds=10), maximum_backoff=timedelta(seconds=600)
        ),
    )


@contextlib.asynccontextmanager
async def _scheduled(stack: Stack, url: str) -> AsyncIterator[None]:
    """Call the reconciler again and again."""
    calling = asyncio.create_task(_call(stack, url))
    try:
        yield
    finally:
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)


async def _call(stack: Stack, url: str) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=None, verify=certificates()) as client:
        while True:
            await stack.options.clock.sleep(_EVERY_SECONDS)
            try:
                answer = await client.post(url)
            except httpx2.HTTPError as error:
                # The function is starting again.
                stack.options.on_line("reconcile", f"does not answer: {error!r}")
                continue
            if answer.status_code != 200:
                stack.options.on_line("reconcile", f"answered {answer.status_code}")
