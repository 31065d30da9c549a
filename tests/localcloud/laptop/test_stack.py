import socket
from typing import Any

import pytest

from localcloud.core import rpc
from localcloud.core.clock import SystemClock
from localcloud.core.errors import LocalCloudError, OptionError, StartFailed
from localcloud.laptop import stack
from localcloud.laptop.ports import Ports
from localcloud.pubsub import PubSub


async def enter(**options: Any) -> None:
    async with stack.run(stack.Options(environ={}, **options)):
        raise AssertionError("it must not start")


async def test_invalid_routes_are_refused_before_anything_starts() -> None:
    with pytest.raises(OptionError, match="ROUTES entry 1 is not an object"):
        await enter(routes="[1]")


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ("receive", "the function receive"),
        ("dispatch", "the function dispatch"),
        ("gemini", "Gemini"),
        ("emulators", "the emulators"),
    ],
)
async def test_a_port_that_is_taken_is_refused(part: str, what: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            OptionError, match=f"cannot listen on port {port}, for {what}: .*in use"
        ):
            await enter(ports=Ports(**{part: port}))


async def test_a_function_that_does_not_start_ends_the_stack() -> None:
    with pytest.raises(StartFailed, match="receive cannot start: SCHEMES names"):
        await enter(receive={"SCHEMES": "v7"})


def test_a_shell_that_names_the_stack_itself_does_not_stop_it() -> None:
    ports = Ports.starting_at(9000)
    environ = {stack.PUBSUB: "127.0.0.1:9003", stack.FIRESTORE: "127.0.0.1:9004"}
    named = stack.Options(environ=environ, ports=ports).named
    assert named == {stack.FIRESTORE: "127.0.0.1:9004"}


async def test_an_emulator_that_the_environment_names_is_used_and_left_clean() -> None:
    outside = PubSub(SystemClock())
    listener = await rpc.listen(outside.services)
    options = stack.Options(environ={stack.PUBSUB: listener.address})

    async with stack.run(options) as running:
        assert running.pubsub is None
        assert running.hosts[stack.PUBSUB] == listener.address
        assert running.hosts[stack.FIRESTORE] != listener.address
        deliveries = running.gemini.emit("batch.succeeded")
        await running.gemini.courier.quiet()
        assert [each.state for each in deliveries] == ["delivered"]
        assert outside.published_count(running.names.ingress) == 1
        push = running.names.dispatch
        assert outside.backlog(push) >= 0

    with pytest.raises(rpc.RpcError, match="dispatch"):
        outside.backlog(push)
    await listener.stop()
    await outside.close()


@pytest.mark.parametrize(
    ("variable", "service"), [(stack.PUBSUB, "Pub/Sub"), (stack.SECRET_MANAGER, "Secret Manager")]
)
async def test_an_unreachable_emulator_is_named(variable: str, service: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        address = f"127.0.0.1:{closing.getsockname()[1]}"

    with pytest.raises(LocalCloudError, match=f"cannot use {service} at {address}"):
        async with stack.run(stack.Options(environ={variable: address})):
            raise AssertionError("it must not start")
