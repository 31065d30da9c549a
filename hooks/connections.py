"""Clients of a deployment, each closed at the end of its block."""

import contextlib
import os
from collections.abc import AsyncIterator, Iterator

from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore import AsyncClient
from google.pubsub_v1 import SubscriberAsyncClient

from hooks.deployment import FIRESTORE, PUBSUB, Deployment
from hooks.errors import HooksError
from localcloud.core import clients
from relay.gcp.publisher import BatchingPublisher, create_publisher


@contextlib.asynccontextmanager
async def publisher(deployment: Deployment) -> AsyncIterator[BatchingPublisher]:
    """Open the relay's publisher, whose calls return once Pub/Sub has confirmed them."""
    opened = create_publisher({PUBSUB: deployment.pubsub})
    try:
        yield opened
    finally:
        await opened.close()


@contextlib.asynccontextmanager
async def subscriber(emulator: str = "") -> AsyncIterator[SubscriberAsyncClient]:
    """Open a client of Pub/Sub's Subscriber, at `emulator` (`host:port`) if there is one.

    Raises `HooksError` without Google credentials.
    """
    async with contextlib.AsyncExitStack() as stack:
        # The client is made where the block is entered, not where `clients` is called.
        with credentials_explained():
            client = await stack.enter_async_context(clients.subscriber(emulator))
        yield client


@contextlib.asynccontextmanager
async def ledger(deployment: Deployment) -> AsyncIterator[AsyncClient]:
    """Open a client of the ledger's database."""
    with _emulated(deployment.firestore), credentials_explained():
        client = AsyncClient(project=deployment.project, database=deployment.database)
        api = client._firestore_api  # noqa: SLF001 - made here, while the variable is set
    try:
        yield client
    finally:
        await api.transport.close()


@contextlib.contextmanager
def credentials_explained() -> Iterator[None]:
    """Turn a lack of Google credentials into an error that says how to get some."""
    try:
        yield
    except GoogleAuthError as error:
        raise HooksError(
            f"no Google credentials: {error}; run `gcloud auth application-default login`"
        ) from error


@contextlib.contextmanager
def _emulated(host: str) -> Iterator[None]:
    # The client has no argument for it.
    before = os.environ.pop(FIRESTORE, None)
    if host:
        os.environ[FIRESTORE] = host
    try:
        yield
    finally:
        os.environ.pop(FIRESTORE, None)
        if before is not None:
            os.environ[FIRESTORE] = before
