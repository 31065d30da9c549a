"""Firestore and Secret Manager for the contract tests: given ones, or the embedded ones.

`FIRESTORE_EMULATOR_HOST` and `SECRET_MANAGER_EMULATOR_HOST` name running emulators. What such an
emulator is known to lack is listed, comma-separated, in `FIRESTORE_EMULATOR_LACKS` and
`SECRET_MANAGER_EMULATOR_LACKS`; tests of it are then skipped by that name. The embedded emulators
lack nothing, so for them the lists are not read.
"""

import os
import uuid
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest
from google.cloud import secretmanager_v1
from google.cloud.firestore import (
    AsyncClient,
    AsyncCollectionReference,
    Client,
    CollectionReference,
)
from google.cloud.secretmanager_v1.services.secret_manager_service import transports

from localcloud.core import rpc
from localcloud.core.clock import SystemClock
from localcloud.firestore import Firestore
from localcloud.secretmanager import SecretManager
from tests.support.loop_thread import LoopThread

PROJECT = "contract-tests"


def needs(emulator: str, capability: str) -> pytest.MarkDecorator:
    """Skip a test where the emulator given by the environment is said to lack a capability."""
    given = f"{emulator}_EMULATOR_HOST" in os.environ
    lacking = os.environ.get(f"{emulator}_EMULATOR_LACKS", "").split(",") if given else []
    return pytest.mark.skipif(capability in lacking, reason=f"this emulator lacks: {capability}")


def firestore_needs(capability: str) -> pytest.MarkDecorator:
    return needs("FIRESTORE", capability)


def secret_manager_needs(capability: str) -> pytest.MarkDecorator:
    return needs("SECRET_MANAGER", capability)


def _served(thread: LoopThread, variable: str, services: dict[str, rpc.Service]) -> Iterator[str]:
    given = os.environ.get(variable)
    if given:
        yield given
        return
    listener = thread.run(rpc.listen(services))
    yield listener.address
    thread.run(listener.stop())


@pytest.fixture(scope="session")
def firestore_host(loop_thread: LoopThread) -> Iterator[str]:
    services = dict(Firestore(SystemClock()).services)
    yield from _served(loop_thread, "FIRESTORE_EMULATOR_HOST", services)


@pytest.fixture(scope="session")
def secret_manager_host(loop_thread: LoopThread) -> Iterator[str]:
    services = dict(SecretManager(SystemClock()).services)
    yield from _served(loop_thread, "SECRET_MANAGER_EMULATOR_HOST", services)


def open_client(host: str, database: str | None = None) -> Client:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", host)
        return Client(project=PROJECT, database=database)


@pytest.fixture(scope="session")
def firestore(firestore_host: str) -> Iterator[Client]:
    client = open_client(firestore_host)
    yield client
    client._firestore_api.transport.close()


@pytest.fixture
async def async_firestore(firestore_host: str) -> AsyncIterator[AsyncClient]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
        client = AsyncClient(project=PROJECT)
    yield client
    await client._firestore_api.transport.close()


@pytest.fixture
def collection(firestore: Client) -> CollectionReference:
    """A collection that no other test knows."""
    return firestore.collection(f"c-{uuid.uuid4()}")


@pytest.fixture
def async_collection(async_firestore: AsyncClient) -> AsyncCollectionReference:
    return async_firestore.collection(f"c-{uuid.uuid4()}")


@pytest.fixture(scope="session")
def secret_manager(
    secret_manager_host: str,
) -> Iterator[secretmanager_v1.SecretManagerServiceClient]:
    channel = grpc.insecure_channel(secret_manager_host)
    transport = transports.SecretManagerServiceGrpcTransport(channel=channel)
    yield secretmanager_v1.SecretManagerServiceClient(transport=transport)
    channel.close()


@pytest.fixture
async def async_secret_manager(
    secret_manager_host: str,
) -> AsyncIterator[secretmanager_v1.SecretManagerServiceAsyncClient]:
    channel = grpc.aio.insecure_channel(secret_manager_host)
    transport = transports.SecretManagerServiceGrpcAsyncIOTransport(channel=channel)
    yield secretmanager_v1.SecretManagerServiceAsyncClient(transport=transport)
    await channel.close()
