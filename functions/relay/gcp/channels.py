"""gRPC channels to Google Cloud, or to an emulator, that recover quickly."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Sequence

import grpc.aio

from relay.errors import Unavailable

OpenChannel = Callable[[], Awaitable[grpc.aio.Channel]]
"""Opens a channel on the running loop; raises `Unavailable` when it cannot."""

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)

OPTIONS: Sequence[tuple[str, int]] = (
    # After an outage the service must be found again within about a second, not gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # An instance without a request has no CPU, and its connection may die meanwhile. The timeout is
    # also the socket's TCP_USER_TIMEOUT: data that nobody acknowledges breaks the connection soon
    # enough for a second attempt on a new one.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 1_500),
    # Whoever calls decides when to try again; a call that gRPC would not repeat takes a tenth less.
    ("grpc.enable_retries", 0),
    # Channels that share a subchannel share its fate; each function has one per service anyway.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_send_message_length", 16 << 20),
    ("grpc.max_receive_message_length", 16 << 20),
)


def opener(host: str, emulator: str) -> OpenChannel:
    """Return what opens a channel to `host`, or to `emulator` (`host:port`) where that is set.

    Call it before the server forks: it imports what the cloud's channel needs, so that the first
    request does not wait for that, but touches neither the network nor gRPC's threads. The opener
    itself belongs in the worker process, on its loop.
    """
    if emulator:

        async def open_emulator() -> grpc.aio.Channel:
            return grpc.aio.insecure_channel(emulator, options=OPTIONS)

        return open_emulator

    importlib.import_module("google.api_core.grpc_helpers_async")

    async def open_cloud() -> grpc.aio.Channel:
        return await _open_cloud(host)

    return open_cloud


async def _open_cloud(host: str) -> grpc.aio.Channel:
    # What the generated clients' transports do, without the import of a whole client.
    import google.auth
    from google.api_core import grpc_helpers_async

    try:
        # Asks the metadata server, and blocks.
        credentials, _ = await asyncio.to_thread(google.auth.default, scopes=_SCOPES)
    except google.auth.exceptions.GoogleAuthError as error:
        raise Unavailable("credentials") from error
    channel: grpc.aio.Channel = grpc_helpers_async.create_channel(
        f"{host}:443", credentials=credentials, default_host=host, options=OPTIONS
    )
    return channel
