import asyncio

import google.auth
import grpc
import grpc.aio
import pytest
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError

from relay.errors import Unavailable
from relay.gcp.channels import Connection, OpenChannel, opener


class Opener:
    """Opens channels that connect to nothing, after as many failures as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.channels: list[grpc.aio.Channel] = []

    async def __call__(self) -> grpc.aio.Channel:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise Unavailable("credentials")
        self.channels.append(grpc.aio.insecure_channel("127.0.0.1:1"))
        return self.channels[-1]


def connection(open_channel: OpenChannel) -> Connection[list[grpc.aio.Channel]]:
    return Connection(open_channel, lambda channel: [channel])


async def test_first_calls_at_once_share_one_channel() -> None:
    open_channel = Opener()
    connected = connection(open_channel)
    first, second = await asyncio.gather(connected.client(), connected.client())
    assert first is second is await connected.client()
    assert first == open_channel.channels
    assert len(open_channel.channels) == 1
    await connected.close()


async def test_a_channel_that_cannot_be_opened_is_tried_again_by_the_next_call() -> None:
    open_channel = Opener(failures=1)
    connected = connection(open_channel)
    with pytest.raises(Unavailable):
        await connected.client()
    assert await connected.client() == open_channel.channels
    await connected.close()


async def test_closing_closes_the_channel() -> None:
    open_channel = Opener()
    connected = connection(open_channel)
    await connected.close()
    [channel] = await connected.client()
    await connected.close()
    assert channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN
    assert await connected.client() != [channel]
    await connected.close()


async def test_an_emulator_needs_no_credentials() -> None:
    channel = await opener("pubsub.googleapis.com", "127.0.0.1:1")()
    assert channel.get_state() is grpc.ChannelConnectivity.IDLE
    await channel.close()


async def test_the_cloud_is_reached_with_the_functions_own_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []

    def default(**arguments: object) -> tuple[AnonymousCredentials, str]:
        asked.append(arguments)
        return AnonymousCredentials(), "my-project"

    monkeypatch.setattr(google.auth, "default", default)
    channel = await opener("pubsub.googleapis.com", "")()
    assert isinstance(channel, grpc.aio.Channel)
    assert asked == [{"scopes": ("https://www.googleapis.com/auth/cloud-platform",)}]
    await channel.close()


async def test_missing_credentials_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def default(**_arguments: object) -> None:
        raise DefaultCredentialsError("none")

    monkeypatch.setattr(google.auth, "default", default)
    with pytest.raises(Unavailable) as caught:
        await opener("pubsub.googleapis.com", "")()
    assert caught.value.reason == "credentials"
