"""Entry points of the deployed functions; each imports only its own hop.

functions-framework looks the target up as an attribute of this module once, before it forks its
worker. Building it there (PEP 562) means that a wrong environment stops the start, and that the
receiver never loads what only the dispatcher or the registrar needs.
"""

import gc
import importlib
import os
import sys
from collections.abc import Awaitable, Callable

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from relay.errors import ConfigurationError
from relay.web.server import configure_server

Handler = Callable[[Request], Awaitable[Response]]

_HOPS = {
    "receive": "relay.receiver.function",
    "dispatch": "relay.dispatcher.function",
    "registrar": "relay.registrar.function",
    "reconcile": "relay.reconciler.function",
    "collect": "relay.collector.function",
}


def _entry_point(target: str) -> Handler:
    # A start frees little, and the collector would look again and again at all that it loads.
    gc.disable()
    try:
        handle: Handler = importlib.import_module(_HOPS[target]).create(os.environ)
    except ConfigurationError as error:
        sys.exit(f"{target} cannot start: {error}")
    configure_server()
    # What is loaded by now is never freed. Freezing it spares the collector, and lets the forked
    # worker share its memory.
    gc.freeze()
    gc.enable()

    async def entry(request: Request) -> Response:
        return await handle(request)

    # The framework registers a function under its own name.
    entry.__name__ = target
    functions_framework.aio.http(entry)
    return entry


def __getattr__(name: str) -> Handler:
    if name not in _HOPS:
        raise AttributeError(name)
    # The framework looks twice, and must find the same function.
    globals()[name] = entry_point = _entry_point(name)
    return entry_point
