"""The last step of `terraform destroy`: it removes the webhook, or says how, and never fails."""

import json
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
IDENTITY = "relay-schedules@my-project.iam.gserviceaccount.com"
DEPLOYER = "relay-deployer@my-project.iam.gserviceaccount.com"
ACCESS = "an-access-token"


@dataclass
class Registrar:
    """The registrar and, at the same address, Google's IAM credentials."""

    status: int = 200
    minted: int = 200
    url: str = ""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    minting: list[tuple[str, str | None, object]] = field(default_factory=list)


@pytest.fixture
def registrar() -> Iterator[Registrar]:
    served = Registrar()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            served.minting.append((self.path, self.headers["authorization"], asked))
            content = json.dumps({"token": TOKEN}, indent=2).encode()
            self.send_response(served.minted)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

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


def _destroy(
    registrar_url: str, path: str, token: str = "", impersonated: str = ""
) -> subprocess.CompletedProcess[str]:
    environ = {
        "AUDIENCE": AUDIENCE,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS": f"{registrar_url}/",
        "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT": impersonated,
        "IDENTITY": IDENTITY,
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


@pytest.mark.parametrize("login", ["application-default print", "print"])
def test_removes_as_the_schedules_where_there_are_access_tokens_alone(
    registrar: Registrar, tools: Path, login: str
) -> None:
    # As under workload identity federation.
    _gcloud(tools, f'case "$*" in "auth {login}-access-token") echo {ACCESS};; *) exit 1;; esac')
    done = _destroy(registrar.url, f"{tools}:/usr/bin:/bin")
    assert (done.returncode, done.stderr) == (0, "")
    path = f"/v1/projects/-/serviceAccounts/{IDENTITY}:generateIdToken"
    asked = {"audience": AUDIENCE, "includeEmail": True}
    assert registrar.minting == [(path, f"Bearer {ACCESS}", asked)]
    assert registrar.requests == [("DELETE", "/webhook", f"Bearer {TOKEN}")]
    assert ACCESS not in done.stdout


@pytest.mark.parametrize("minted", [200, 403])
def test_asks_as_the_service_account_that_terraform_impersonates(
    registrar: Registrar, tools: Path, minted: int
) -> None:
    registrar.minted = minted
    _gcloud(
        tools,
        f'case "$CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT $*" in "{DEPLOYER} "*access-token)'
        f' echo {ACCESS};; "{DEPLOYER} "*"--audiences={AUDIENCE} --include-email")'
        f" echo {TOKEN};; *) exit 1;; esac",
    )
    done = _destroy(registrar.url, f"{tools}:/usr/bin:/bin", impersonated=DEPLOYER)
    assert (done.returncode, done.stderr) == (0, "")
    assert [authorization for _, authorization, _ in registrar.minting] == [f"Bearer {ACCESS}"]
    assert registrar.requests == [("DELETE", "/webhook", f"Bearer {TOKEN}")]


def test_goes_on_with_gclouds_own_token_where_it_may_not_impersonate(
    registrar: Registrar, tools: Path
) -> None:
    registrar.minted = 403
    _gcloud(
        tools,
        f'case "$*" in *access-token) echo x;; *--audiences*) exit 1;; *) echo own.{TOKEN};; esac',
    )
    done = _destroy(registrar.url, f"{tools}:/usr/bin:/bin")
    assert (done.returncode, done.stderr) == (0, "")
    assert registrar.requests == [("DELETE", "/webhook", f"Bearer own.{TOKEN}")]


def test_removes_with_a_service_accounts_token(registrar: Registrar, tools: Path) -> None:
    _gcloud(tools, f'case "$*" in *--audiences={AUDIENCE}) echo {TOKEN};; *) exit 1;; esac')
    done = _destroy(registrar.url, f"{tools}:/usr/bin:/bin")
    assert (done.returncode, done.stderr) == (0, "")
    assert registrar.requests == [("DELETE", "/webhook", f"Bearer {TOKEN}")]


def test_removes_with_a_persons_token(registrar: Registrar, tools: Path) -> None:
    _gcloud(tools, f'case "$*" in *identity-token) echo {TOKEN};; *) exit 1;; esac')
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
