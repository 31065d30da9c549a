import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from localcloud.core import rpc
from localcloud.core.raw import Empty


async def test_no_call_outlives_the_listener() -> None:
    begun = asyncio.Event()

    async def endless(_requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        begun.set()
        await asyncio.Event().wait()
        yield Empty()

    service = {"Do": rpc.Method("stream_stream", Empty, Empty, endless)}
    listener = await rpc.listen({"test.Service": service})
    async with grpc.aio.insecure_channel(listener.address) as channel:
        call: Any = channel.stream_stream("/test.Service/Do")()
        await begun.wait()
        await listener.stop()

        running: list[Any] = [task.get_coro() for task in asyncio.all_tasks()]
        names = {each.__qualname__ for each in running}
        assert not [name for name in names if name.startswith(("_schedule_rpc", "_handle_exc"))]
        call.cancel()
