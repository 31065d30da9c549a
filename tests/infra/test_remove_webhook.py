"""The last step of `terraform destroy`: it removes the webhook, or says how, and never fails."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.infra.workspace import REPOSITORY

SCRIPT = REPOSITORY / "infra" / "modules" / "registrar" / "remove-webhook.sh"
AUDIENCE = "https://relay-registrar-123456789012.europe-west1.run.app"
WEBHOOK = "https://relay-receiver-abcdefghij-ew.a.run.app"
TOKEN = "an.identity.token"


@dataclass
class Registrar:
    status: int = 200
    url: str = ""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)


@pytest.fixture
def registrar() -> Iterator[Registrar]:
    served = Registrar()

    class Handler(BaseHTTPRequestHandler):
        def do_DELETE(self) -> None:
            served.requests.append((self.command, self.path, self.headers["authorization"]))
            self.send_response(served.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_port}"
        yield served
        server.shutdown()
        thread.join()


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A directory to put on the PATH in front of what the system has."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def _gcloud(tools: Path, script: str) -> None:
    path = tools / "gcloud"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _destroy(registrar_url: str, path: str, token: str = "") -> subprocess.CompletedProcess[str]:
    environ = {
        "AUDIENCE": AUDIENCE,
        "PATH": path,
        "REGISTRAR_IDENTITY_TOKEN": token,
        "REGISTRAR_URI": registrar_url,
        "WEBHOOK_URI": WEBHOOK,
    }
    return subprocess.run(
        ["/bin/sh", str(SCRIPT)],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _without_gcloud(tools: Path) -> str:
    for name in ("curl", "printf"):
        found = next(
            path for folder in ("/usr/bin", "/bin") if (path := Path(folder, name)).exists()
        )
        (tools / name).symlink_to(found)
    return str(tools)


def _says_how(done: subprocess.CompletedProcess[str]) -> bool:
    return done.returncode == 0 and f"hooks webhook delete --uri '{WEBHOOK}'" in done.stderr


def test_removes_with_a_given_token(registrar: Registrar, tools: Path) -> None:
    done = _destroy(registrar.url, _without_gcloud(tools), TOKEN)
    assert (done.returncode, done.stderr) == (0, "")
    assert registrar.requests == [("DELETE", "/webhook", f"Bearer {TOKEN}")]
    assert TOKEN not in done.stdout


def test_removes_with_a_service_accounts_token(registrar: Registrar, tools: Path) -> None:
    _gcloud(tools, f'case "$*" in *--audiences={AUDIENCE}*) echo {TOKEN};; *) exit 1;; esac')
    done = _destroy(registrar.url, f"{tools}:/usr/bin:/bin")
    assert (done.returncode, done.stderr) == (0, "")
    assert registrar.requests == [("DELETE", "/webhook", f"Bearer {TOKEN}")]


def test_removes_with_a_persons_token(registrar: Registrar, tools: Path) -> None:
    _gcloud(tools, f'case "$*" in *--audiences*) exit 1;; *) echo {TOKEN};; esac')
    done = _destroy(registrar.url, f"{tools}:/usr/bin:/bin")
    assert (done.returncode, done.stderr) == (0, "")
    assert registrar.requests == [("DELETE", "/webhook", f"Bearer {TOKEN}")]


def test_a_webhook_that_is_already_gone_counts_as_removed(
    registrar: Registrar, tools: Path
) -> None:
    registrar.status = 409
    done = _destroy(registrar.url, _without_gcloud(tools), TOKEN)
    assert (done.returncode, done.stderr) == (0, "")


def test_prints_the_command_without_gcloud(registrar: Registrar, tools: Path) -> None:
    done = _destroy(registrar.url, _without_gcloud(tools))
    assert _says_how(done)
    assert "gcloud is here" in done.stderr
    assert registrar.requests == []


def test_prints_the_command_without_credentials(registrar: Registrar, tools: Path) -> None:
    _gcloud(tools, "exit 1")
    done = _destroy(registrar.url, f"{tools}:/usr/bin:/bin")
    assert _says_how(done)
    assert "gcloud auth login" in done.stderr
    assert registrar.requests == []


@pytest.mark.parametrize("status", [401, 403, 404, 502])
def test_prints_the_command_when_the_registrar_refuses(
    registrar: Registrar, tools: Path, status: int
) -> None:
    registrar.status = status
    done = _destroy(registrar.url, _without_gcloud(tools), TOKEN)
    assert _says_how(done)
    assert f"answered {status}" in done.stderr


def test_prints_the_command_when_the_registrar_does_not_answer(tools: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        done = _destroy(address, _without_gcloud(tools), TOKEN)
    assert _says_how(done)
    assert "does not answer" in done.stderr
