"""An ASGI application served on a free loopback port, on the test's own event loop."""

import contextlib
from collections.abc import AsyncIterator

from starlette.types import ASGIApp

from localcloud.core.serving import AppServer


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Serve `app` while the block lasts, and yield its base URL."""
    async with AppServer(app) as server:
        yield server.url
