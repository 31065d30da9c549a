"""Publishing one event to its routes concurrently: a topic that hangs delays no other."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from relay.dispatcher.event import Event
from relay.dispatcher.routes import Route
from relay.dispatcher.stopping import Stopping
from relay.errors import PublishRefused, PublishUnavailable
from relay.gcp.publisher import Publisher
from relay.log import log

# The most that one publish gets of the budget: a waiting request holds memory and a slot.
_PUBLISH_SECONDS = 15.0


@dataclass
class Progress:
    """Routes by name: `done` have the event, `refused` never can, `failed` may on a retry."""

    done: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)


async def fan_out(
    event: Event,
    routes: Iterable[Route],
    publisher: Publisher,
    stopping: Stopping,
    *,
    deadline: float,
) -> Progress:
    """Publish an event to every route; return the progress at `deadline` (the loop's clock)."""
    routes = tuple(routes)
    progress = Progress()
    try:
        async with stopping.limit(deadline), asyncio.TaskGroup() as group:
            for route in routes:
                group.create_task(_publish(event, route, publisher, deadline, progress))
    except TimeoutError:
        log("WARNING", "fan-out cut short", id=event.id, type=event.type)
    settled = progress.done | progress.refused
    progress.failed = {route.name for route in routes} - settled
    return progress


async def _publish(
    event: Event, route: Route, publisher: Publisher, deadline: float, progress: Progress
) -> None:
    left = deadline - asyncio.get_running_loop().time()
    if left <= 0:
        return
    timeout = min(left, _PUBLISH_SECONDS)
    try:
        await publisher.publish(route.topic, event.data, event.attributes, timeout=timeout)
        progress.done.add(route.name)
    except PublishRefused as refused:
        progress.refused.add(route.name)
        log("ERROR", "publish refused", id=event.id, route=route.name, detail=refused.detail)
    except PublishUnavailable as failure:
        log("ERROR", "publish failed", id=event.id, route=route.name, reason=failure.reason)
