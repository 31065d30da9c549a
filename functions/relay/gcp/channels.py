"""gRPC channels to Google Cloud, or to an emulator, that recover quickly."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import google.auth
import grpc.aio
from google.api_core import grpc_helpers_async
from google.auth.exceptions import GoogleAuthError

from relay.errors import Unavailable

OpenChannel = Callable[[], Awaitable[grpc.aio.Channel]]
"""Opens a channel on the running loop; raises `Unavailable` when it cannot."""

Client = TypeVar("Client")

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)

OPTIONS: Sequence[tuple[str, int]] = (
    # After an outage, reconnect within about a second instead of gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # An instance without a request has no CPU, and its connection may die meanwhile. The timeout is
    # also the socket's TCP_USER_TIMEOUT: unacknowledged data breaks the connection soon enough for
    # a second attempt on a new one.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 1_500),
    # Callers decide when to retry; a call that gRPC itself would not retry costs a tenth less CPU.
    ("grpc.enable_retries", 0),
    # Channels that share a subchannel fail together; each function has one channel per service.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_send_message_length", 16 << 20),
    ("grpc.max_receive_message_length", 16 << 20),
)


class Connection(Generic[Client]):
    """One channel, opened on first use, and the client that `make_client` builds on it.

    Concurrent first calls share one channel; after a failure the next call tries again. It may be
    built before the server forks, and then belongs to one event loop.
    """

    def __init__(
        self, open_channel: OpenChannel, make_client: Callable[[grpc.aio.Channel], Client]
    ) -> None:
        self._open_channel = open_channel
        self._make_client = make_client
        self._opening = asyncio.Lock()
        self._opened: tuple[grpc.aio.Channel, Client] | None = None

    async def client(self) -> Client:
        """Return the client; raises `Unavailable` when the channel cannot be opened."""
        if self._opened is not None:
            return self._opened[1]
        async with self._opening:
            if self._opened is None:
                channel = await self._open_channel()
                self._opened = channel, self._make_client(channel)
            return self._opened[1]

    async def close(self) -> None:
        """Close the channel, which fails the calls in flight."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened[0].close()


def opener(host: str, emulator: str) -> OpenChannel:
    """Return what opens a channel to `host`, or to `emulator` (`host:port`) where that is set.

    Call the opener in the worker process, on its event loop: unlike this function, it starts gRPC's
    threads, which do not survive a fork.
    """
    if emulator:

        async def open_emulator() -> grpc.aio.Channel:
            return grpc.aio.insecure_channel(emulator, options=OPTIONS)

        return open_emulator

    async def open_cloud() -> grpc.aio.Channel:
        return await _open_cloud(host)

    return open_cloud


async def _open_cloud(host: str) -> grpc.aio.Channel:
    # As the generated clients' transports do, but with our own options.
    try:
        # Asks the metadata server, and blocks.
        credentials, _ = await asyncio.to_thread(google.auth.default, scopes=_SCOPES)
    except GoogleAuthError as error:
        raise Unavailable("credentials") from error
    channel: grpc.aio.Channel = grpc_helpers_async.create_channel(
        f"{host}:443", credentials=credentials, default_host=host, options=OPTIONS
    )
    return channel
