import subprocess
import sys
from pathlib import Path

import google.auth
import grpc
import grpc.aio
import pytest
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError

from relay.errors import Unavailable
from relay.gcp.channels import opener

FUNCTIONS = Path(__file__).parents[3] / "functions"


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


async def test_without_credentials_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def default(**_arguments: object) -> None:
        raise DefaultCredentialsError("none")

    monkeypatch.setattr(google.auth, "default", default)
    with pytest.raises(Unavailable) as caught:
        await opener("pubsub.googleapis.com", "")()
    assert caught.value.reason == "credentials"


@pytest.mark.parametrize(("emulator", "loaded"), [("", True), ("127.0.0.1:1", False)])
def test_what_the_cloud_needs_is_imported_before_the_fork(emulator: str, loaded: bool) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(FUNCTIONS)!r})
from relay.gcp.channels import opener
opener("pubsub.googleapis.com", {emulator!r})
assert ("google.auth" in sys.modules) is {loaded}
assert "google.pubsub_v1" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
