"""A push endpoint on a free port."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Push:
    """A request that came."""

    headers: dict[str, str]
    body: bytes

    @property
    def envelope(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class PushEndpoint:
    """Answers requests with `statuses` in turn, then with 204; keeps them all."""

    def __init__(self, statuses: Sequence[int] = ()) -> None:
        self._statuses = list(statuses)
        self._pushes: list[Push] = []
        self._came = threading.Condition()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(endpoint._took(Push(headers, body)))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/push"

    def wait(self, count: int, within: float = 20.0) -> list[Push]:
        """Return the requests once there are `count`, or what there is when time runs out."""
        with self._came:
            self._came.wait_for(lambda: len(self._pushes) >= count, within)
            return list(self._pushes)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _took(self, push: Push) -> int:
        with self._came:
            self._pushes.append(push)
            self._came.notify_all()
            return self._statuses.pop(0) if self._statuses else 204
