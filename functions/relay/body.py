"""Reading a request's body within a bound."""

from starlette.requests import ClientDisconnect, Request

from relay.errors import Refused


async def read(request: Request, limit: int) -> bytes:
    """Return the body; raises `Refused` with 413 as soon as it is seen to exceed `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise Refused(413, "body-too-large")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise Refused(413, "body-too-large")
    except ClientDisconnect:
        raise Refused(400, "disconnected") from None
    return bytes(body)
