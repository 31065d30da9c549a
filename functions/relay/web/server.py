"""The server under the functions: functions-framework's gunicorn with one uvicorn worker."""

import os


def configure_server() -> None:
    """Set up the server that functions-framework is about to start.

    It bounds connections, ignores X-Forwarded-*, sends no Server header and speaks no WebSocket.
    Its worker has no time-out: Cloud Run stops a worker between requests, and gunicorn kills one
    that it finds late on waking, with the request that woke it.

    https://cloud.google.com/run/docs/configuring/billing-settings
    https://github.com/GoogleCloudPlatform/functions-framework-python (`_http/gunicorn.py`)
    """
    from uvicorn_worker import UvicornWorker

    from relay.web.connections import BoundedConnection

    settings = {
        "http": BoundedConnection,
        "proxy_headers": False,
        "server_header": False,
        # Where google-genai is installed, so is a library that uvicorn would upgrade to.
        "ws": "none",
    }
    UvicornWorker.CONFIG_KWARGS = {**UvicornWorker.CONFIG_KWARGS, **settings}
    # The framework makes the worker's time-out of this, and reads it after the function is loaded.
    os.environ["CLOUD_RUN_TIMEOUT_SECONDS"] = "0"
