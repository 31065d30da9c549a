"""Google's own clients, pointed at an emulator where one is named, else at Google Cloud.

The generated asynchronous clients do not read emulator variables by themselves. Each of these
belongs to the event loop that it is made on; importing them takes a moment, so import this module
where it is needed.
"""

import contextlib
from collections.abc import AsyncIterator

import grpc
from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcAsyncIOTransport,
)
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport


@contextlib.asynccontextmanager
async def publisher(emulator: str = "") -> AsyncIterator[PublisherAsyncClient]:
    """Give a client of Pub/Sub's Publisher, at `emulator` (`host:port`) if there is one."""
    transport = PublisherGrpcAsyncIOTransport(channel=_channel(emulator)) if emulator else None
    client = PublisherAsyncClient(transport=transport)
    try:
        yield client
    finally:
        await client.transport.close()


@contextlib.asynccontextmanager
async def subscriber(emulator: str = "") -> AsyncIterator[SubscriberAsyncClient]:
    """Give a client of Pub/Sub's Subscriber, at `emulator` (`host:port`) if there is one."""
    transport = SubscriberGrpcAsyncIOTransport(channel=_channel(emulator)) if emulator else None
    client = SubscriberAsyncClient(transport=transport)
    try:
        yield client
    finally:
        await client.transport.close()


@contextlib.asynccontextmanager
async def secret_manager(emulator: str = "") -> AsyncIterator[SecretManagerServiceAsyncClient]:
    """Give a client of Secret Manager, at `emulator` (`host:port`) if there is one."""
    transport = (
        SecretManagerServiceGrpcAsyncIOTransport(channel=_channel(emulator)) if emulator else None
    )
    client = SecretManagerServiceAsyncClient(transport=transport)
    try:
        yield client
    finally:
        await client.transport.close()


def _channel(emulator: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(emulator)
