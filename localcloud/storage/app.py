"""The embedded Cloud Storage as an HTTP server of its own, for the laptop: nobody is refused."""

from collections.abc import Awaitable, Callable, Collection

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.storage.objects import Objects, Refused
from localcloud.storage.uploads import PATH, Request, Uploads

_OBJECTS = "/storage/v1/b/{bucket}/o"

Handler = Callable[[HttpRequest], Awaitable[Response]]


def application(objects: Objects, buckets: Collection[str]) -> Starlette:
    """Return an application that serves the objects of these buckets; others do not exist."""
    uploads = Uploads(objects)

    async def upload(request: HttpRequest) -> Response:
        handle = uploads.cancel if request.method == "DELETE" else uploads.answer
        return handle(
            Request(
                bucket=request.path_params["bucket"],
                query=request.query_params,
                headers=request.headers,
                content=await request.body(),
                origin=str(request.base_url).rstrip("/"),
            )
        )

    async def listed(request: HttpRequest) -> Response:
        prefix = request.query_params.get("prefix", "")
        return JSONResponse(objects.list(request.path_params["bucket"], prefix))

    async def read(request: HttpRequest) -> Response:
        stored = objects.get(request.path_params["bucket"], request.path_params["name"])
        if request.query_params.get("alt") == "media":
            return Response(stored.content, media_type=stored.resource["contentType"])
        return JSONResponse(stored.resource)

    def known(handle: Handler) -> Handler:
        async def answer(request: HttpRequest) -> Response:
            try:
                if request.path_params["bucket"] not in buckets:
                    raise Refused(404, "notFound", "The specified bucket does not exist.")
                return await handle(request)
            except Refused as refused:
                return JSONResponse(refused.body(), refused.status)

        return answer

    return Starlette(
        routes=[
            Route(f"/{PATH}", known(upload), methods=["POST", "PUT", "DELETE"]),
            Route(_OBJECTS, known(listed), methods=["GET"]),
            Route(f"{_OBJECTS}/{{name:path}}", known(read), methods=["GET"]),
        ]
    )
