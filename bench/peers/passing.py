"""The hops without the work: functions that only pass bytes on, and check nothing.

Each message is a call of its own, made with the bare stub. With `CLAIM` set, the dispatcher creates
a document with the bare stub before it publishes, as nothing that keeps a ledger can do without.
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

Stub = Callable[[Any], Awaitable[Any]]


# Not at import: the framework forks its worker afterwards, which gRPC does not survive.
@functools.cache
def publish_stub() -> Stub:
    channel = grpc.aio.insecure_channel(os.environ["PUBSUB_EMULATOR_HOST"])
    stub: Stub = channel.unary_unary(
        "/google.pubsub.v1.Publisher/Publish",
        request_serializer=PublishRequest.pb().SerializeToString,
        response_deserializer=PublishResponse.pb().FromString,
    )
    return stub


@functools.cache
def write_stub() -> Stub:
    from google.cloud.firestore_v1.types import BatchWriteRequest, BatchWriteResponse

    channel = grpc.aio.insecure_channel(os.environ["FIRESTORE_EMULATOR_HOST"])
    stub: Stub = channel.unary_unary(
        "/google.firestore.v1.Firestore/BatchWrite",
        request_serializer=BatchWriteRequest.pb().SerializeToString,
        response_deserializer=BatchWriteResponse.pb().FromString,
    )
    return stub


async def publish(topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
    message = {"data": data, "attributes": attributes}
    await publish_stub()(PublishRequest.pb()(topic=topic, messages=[message]))


async def claim(identifier: str) -> None:
    from google.cloud.firestore_v1.types import BatchWriteRequest

    database = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/databases/(default)"
    document = {"name": f"{database}/documents/claims/{identifier}"}
    write = {"update": document, "current_document": {"exists": False}}
    await write_stub()(BatchWriteRequest.pb()(database=database, writes=[write]))


@functions_framework.aio.http
async def receive(request: Request) -> Response:
    attributes = {"webhook-id": request.headers["webhook-id"]}
    await publish(os.environ["INGRESS_TOPIC"], await request.body(), attributes)
    return Response('{"status":"received"}', media_type="application/json")


@functions_framework.aio.http
async def dispatch(request: Request) -> Response:
    message = json.loads(await request.body())["message"]
    data = base64.b64decode(message["data"])
    if "CLAIM" in os.environ:
        await claim(message["attributes"]["webhook-id"])
    await publish(os.environ["EVENTS_TOPIC"], data, message["attributes"])
    return Response(status_code=204)
