"""The no-op with the client libraries of a function loaded: what no function with them can beat."""

import importlib
import os

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

for library in os.environ["LIBRARIES"].split(","):
    importlib.import_module(library)


@functions_framework.aio.http
async def receive(request: Request) -> Response:
    await request.body()
    return Response('{"status":"received"}', media_type="application/json")
