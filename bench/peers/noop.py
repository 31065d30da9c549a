"""The framework's own cost: an asynchronous function that does nothing."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response


@functions_framework.aio.http
async def receive(request: Request) -> Response:
    await request.body()
    return Response('{"status":"received"}', media_type="application/json")
