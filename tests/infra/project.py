"""The one thing that a plan of an empty project asks Google: the project's number."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NUMBER = "123456789012"

_PROJECT = re.compile(r"/projects/([a-z][a-z0-9-]+)$")
# As in a project where the Cloud Billing API, which we have no use for, is off.
_OFF: Mapping[str, object] = {
    "error": {
        "code": 403,
        "errors": [{"reason": "accessNotConfigured", "domain": "usageLimits"}],
        "status": "PERMISSION_DENIED",
    }
}


def _project(name: str) -> dict[str, str]:
    return {"projectId": name, "projectNumber": NUMBER, "lifecycleState": "ACTIVE"}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = _PROJECT.search(self.path.partition("?")[0])
        content = json.dumps(_project(found[1]) if found else _OFF).encode()
        self.send_response(200 if found else 403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: what was asked does not matter here."""


@contextmanager
def project() -> Iterator[dict[str, str]]:
    """Serve any project on loopback; yield the environment that leads the provider there."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/"
        try:
            yield {
                "GOOGLE_BILLING_CUSTOM_ENDPOINT": address,
                "GOOGLE_CLOUD_BILLING_CUSTOM_ENDPOINT": address,
                "GOOGLE_OAUTH_ACCESS_TOKEN": "none",
                "GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT": address,
            }
        finally:
            server.shutdown()
            thread.join()
