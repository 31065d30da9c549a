"""The hops without the work: functions that only pass bytes on, and check nothing.

Each message is a call of its own, made with the bare stub.
"""

import base64
import functools
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import functions_framework.aio
import grpc.aio
from google.pubsub_v1.types import PublishRequest, PublishResponse
from starlette.requests import Request
from starlette.responses import Response


@functools.cache
def stub() -> Callable[[Any], Awaitable[Any]]:
    # Not at import: the framework forks its worker afterwards, which gRPC does not survive.
    channel = grpc.aio.insecure_channel(os.environ["PUBSUB_EMULATOR_HOST"])
    publish: Callable[[Any], Awaitable[Any]] = channel.unary_unary(
        "/google.pubsub.v1.Publisher/Publish",
        request_serializer=PublishRequest.pb().SerializeToString,
        response_deserializer=PublishResponse.pb().FromString,
    )
    return publish


async def publish(topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
    message = {"data": data, "attributes": attributes}
    await stub()(PublishRequest.pb()(topic=topic, messages=[message]))


@functions_framework.aio.http
async def receive(request: Request) -> Response:
    attributes = {"webhook-id": request.headers["webhook-id"]}
    await publish(os.environ["INGRESS_TOPIC"], await request.body(), attributes)
    return Response('{"status":"received"}', media_type="application/json")


@functions_framework.aio.http
async def dispatch(request: Request) -> Response:
    message = json.loads(await request.body())["message"]
    data = base64.b64decode(message["data"])
    await publish(os.environ["EVENTS_TOPIC"], data, message["attributes"])
    return Response(status_code=204)
