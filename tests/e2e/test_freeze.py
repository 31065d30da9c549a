"""A function without CPU between requests: what must hold when time has passed on waking.

The receiver's clock of key lifetimes runs so fast that a minute passes in the pause between two
requests.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest_asyncio
from google.pubsub_v1.types import Topic

from localcloud.core import clients, rpc
from localcloud.core.clock import SystemClock
from localcloud.laptop.names import Names
from localcloud.laptop.provision import keep_signing_secret
from localcloud.pubsub import PubSub
from localcloud.runner.process import FUNCTIONS, FunctionProcess
from localcloud.secretmanager import SecretManager
from relay.keys.signing_secret import LIFETIME
from tests.support.signing import BODY, secret, v1

NAMES = Names("my-project")
PAUSE_SECONDS = 0.01
RATE = 60 / PAUSE_SECONDS
KEEP_ALIVE_SECONDS = 0.5
SCALED = f"""
import sys, time, types
sys.path.insert(0, {str(FUNCTIONS)!r})
from uvicorn_worker import UvicornWorker
import relay.receiver.function as receiver
receiver.time = types.SimpleNamespace(monotonic=lambda: time.monotonic() * {RATE})
UvicornWorker.CONFIG_KWARGS = {{
    **UvicornWorker.CONFIG_KWARGS, "timeout_keep_alive": {KEEP_ALIVE_SECONDS}
}}
from main import receive
"""


@dataclass
class Site:
    """A receiver that is stopped between requests, and what it needs."""

    pubsub: PubSub
    receiver: FunctionProcess
    client: httpx2.AsyncClient
    listener: rpc.Listener
    services: dict[str, rpc.Service]
    log: list[str]
    sent: int = 0

    async def deliver(self, seed: int = 0) -> int:
        """Make one delivery, signed with a version of the secret; return the status."""
        self.sent += 1
        name, now = f"evt_{self.sent}", int(time.time())
        headers = {
            "webhook-id": name,
            "webhook-timestamp": str(now),
            "webhook-signature": v1(seed=seed, webhook_id=name, timestamp=now),
        }
        url = self.receiver.url
        return (await self.client.post(url, content=BODY, headers=headers)).status_code

    async def pause(self) -> None:
        """Have the receiver stopped for a minute of its time."""
        async with asyncio.timeout(30):
            # A signal counts once the process is scheduled, which nothing tells.
            while self.states() != {"T"}:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        await asyncio.sleep(PAUSE_SECONDS)

    async def lose_connections(self) -> None:
        """End the receiver's connections, as Google does with those that are idle for long."""
        await self.listener.stop()
        self.listener = await rpc.listen(self.services, address=self.listener.address)

    async def disable(self, version: int) -> None:
        async with clients.secret_manager(self.listener.address) as client:
            name = f"{NAMES.signing_secret}/versions/{version}"
            await client.disable_secret_version(name=name, retry=None)

    def states(self) -> set[str]:
        """Return the states of the receiver's processes, `T` for a stopped one."""
        leader = self.receiver.pid
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        stats = [Path(f"/proc/{pid}/stat").read_text() for pid in (leader, *children)]
        return {stat.rpartition(")")[2].split()[0] for stat in stats}


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    pubsub, secrets = PubSub(SystemClock()), SecretManager(SystemClock())
    services = {**pubsub.services, **secrets.services}
    listener = await rpc.listen(services)
    async with clients.publisher(listener.address) as publisher:
        await publisher.create_topic(Topic(name=NAMES.ingress))
    for seed in (0, 1):
        await keep_signing_secret(NAMES, listener.address, secret(seed))
    scaled = tmp_path / "scaled.py"
    scaled.write_text(SCALED)
    environ = {
        "GOOGLE_CLOUD_PROJECT": NAMES.project,
        "PUBSUB_EMULATOR_HOST": listener.address,
        "SECRET_MANAGER_EMULATOR_HOST": listener.address,
        "INGRESS_TOPIC": NAMES.ingress,
        "SIGNING_SECRET": NAMES.signing_secret,
    }
    log: list[str] = []
    receiver = FunctionProcess(
        "receive",
        target="receive",
        environ=environ,
        source=scaled,
        on_line=lambda _, line: log.append(line),
    )
    async with receiver, httpx2.AsyncClient(trust_env=False, timeout=30) as client:
        made = Site(pubsub, receiver, client, listener, services, log)
        yield made
    await made.listener.stop()
    await pubsub.close()
    await secrets.close()


async def test_two_hundred_stops_lose_nothing_and_kill_no_worker(site: Site) -> None:
    before = site.receiver.pid
    statuses = []
    for _ in range(200):
        statuses.append(await site.deliver())
        await site.pause()
    assert statuses == [200] * 200
    published = site.pubsub.published(NAMES.ingress)
    assert {message.attributes["webhook-id"] for message in published} == {
        f"evt_{number}" for number in range(1, 201)
    }
    assert site.receiver.pid == before
    assert site.log == []


async def test_a_revoked_secret_is_refused_after_its_lifetime_with_a_request_a_minute(
    site: Site,
) -> None:
    assert await site.deliver(seed=0) == 200
    await site.disable(1)
    end = time.monotonic() + LIFETIME / RATE
    while time.monotonic() < end:
        await site.pause()
        await site.deliver(seed=0)
    # Each of these begins past the lifetime of what was loaded before the secret was revoked.
    assert [await site.deliver(seed=0) for _ in range(3)] == [401] * 3
    assert await site.deliver(seed=1) == 200


async def test_connections_that_ended_during_a_stop_fail_no_request_and_no_refresh(
    site: Site,
) -> None:
    for _ in range(10):
        assert await site.deliver(seed=0) == 200
        await site.lose_connections()
        await asyncio.sleep(LIFETIME / RATE)
    await site.disable(1)
    assert await site.deliver(seed=0) == 401
    assert not any("keys not refreshed" in line for line in site.log)


async def test_a_connection_that_was_idle_for_too_long_meanwhile_takes_a_request(
    site: Site,
) -> None:
    assert await site.deliver() == 200
    await site.pause()
    await asyncio.sleep(KEEP_ALIVE_SECONDS)
    # Nobody tries a second time: had the server ended the connection, this would fail.
    assert await site.deliver() == 200


async def test_connections_that_were_idle_for_too_long_meanwhile_take_a_burst(site: Site) -> None:
    for _ in range(5):
        # The first of them wakes the function, and finds the others' connections idle.
        assert await asyncio.gather(*(site.deliver() for _ in range(10))) == [200] * 10
        await site.pause()
        await asyncio.sleep(2 * KEEP_ALIVE_SECONDS)


async def test_a_stopped_function_ends_in_good_order(site: Site) -> None:
    assert await site.deliver() == 200
    await site.pause()
    assert await site.receiver.terminate() == 0
    assert site.log == []
