"""Striking a process at an exact point of its work: around one call that it makes of an emulator.

The process under test runs unchanged; the strike happens on the emulator's side, before the call's
effect or after it and before its reply.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from localcloud.core import rpc

When = Literal["before", "after"]
Strike = Callable[[], Awaitable[None]]
"""What is done to the caller: kill it, hang, or raise `RpcError`."""


@dataclass
class Striker:
    """Strikes the call with `number`, from 0, among those of `methods`; then never again.

    `methods` are short names such as `BatchWrite` and `Publish`. To strike several times, use
    several.
    """

    number: int
    when: When
    strike: Strike
    methods: frozenset[str] = frozenset({"BatchWrite", "BatchGetDocuments", "Publish"})
    seen: list[str] = field(default_factory=list)
    struck: bool = False

    def around(self, services: Mapping[str, rpc.Service]) -> dict[str, rpc.Service]:
        """Return the services with every one of `methods` watched."""
        return {
            service: {
                name: self._watched(name, method) if name in self.methods else method
                for name, method in methods.items()
            }
            for service, methods in services.items()
        }

    async def _now(self, number: int, when: When) -> None:
        if number == self.number and when == self.when:
            self.struck = True
            await self.strike()

    def _watched(self, name: str, method: rpc.Method) -> rpc.Method:
        async def unary(request: Any) -> Any:
            number = self._count(name)
            await self._now(number, "before")
            reply = await method.handler(request)
            await self._now(number, "after")
            return reply

        async def stream(request: Any) -> AsyncIterator[Any]:
            number = self._count(name)
            await self._now(number, "before")
            replies = [reply async for reply in method.handler(request)]
            await self._now(number, "after")
            for reply in replies:
                yield reply

        return replace(method, handler=stream if method.kind == "unary_stream" else unary)

    def _count(self, name: str) -> int:
        self.seen.append(name)
        return len(self.seen) - 1
