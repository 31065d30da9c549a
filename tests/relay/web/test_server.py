import os

import pytest
from uvicorn_worker import UvicornWorker

from localcloud.runner.process import FunctionProcess
from relay.web.connections import MAX_OVERHEAD, BoundedConnection
from relay.web.server import configure_server
from tests.relay.web.test_connections import START, sent
from tests.support.signing import secret


def test_the_worker_serves_with_bounds_and_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {"loop": "auto", "http": "auto"}
    monkeypatch.setattr(UvicornWorker, "CONFIG_KWARGS", before)
    configure_server()
    assert {
        "loop": "auto",
        "http": BoundedConnection,
        "proxy_headers": False,
        "server_header": False,
        "ws": "none",
    } == UvicornWorker.CONFIG_KWARGS
    assert before["http"] == "auto"


def test_the_worker_has_no_time_out_whatever_the_platform_sets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(UvicornWorker, "CONFIG_KWARGS", {})
    monkeypatch.setenv("CLOUD_RUN_TIMEOUT_SECONDS", "60")
    configure_server()
    assert os.environ["CLOUD_RUN_TIMEOUT_SECONDS"] == "0"


async def test_the_framework_serves_with_bounds() -> None:
    environ = {"GOOGLE_CLOUD_PROJECT": "my-project", "WEBHOOK_SIGNING_SECRET": secret()}
    async with FunctionProcess("receive", target="receive", environ=environ) as receiver:
        port = int(receiver.url.rpartition(":")[2])
        lines = [b"x-filler: " + b"f" * 8000 + b"\r\n"] * (2 + 4 * MAX_OVERHEAD // 8000)
        found = await sent(port, START, *lines)
        assert found == b"reset" or found.startswith(b"HTTP/1.1 400 ")
        found = await sent(port, b"GET / HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n")
        assert found.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nserver:" not in found.lower()
