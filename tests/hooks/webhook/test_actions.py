import contextlib
import json
import stat
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import grpc
import pytest
from google.cloud.secretmanager_v1 import Secret, SecretManagerServiceClient, SecretPayload
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)
from typer.testing import CliRunner

from hooks.cli import app
from hooks.errors import HooksError, UsageError
from hooks.webhook.secret_store import FileStore, SecretNotRevoked, SecretNotStored
from localcloud.core import rpc
from localcloud.core.clock import SystemClock
from localcloud.gemini import Gemini, Settings
from localcloud.gemini.faults import Fault, FaultKind
from localcloud.gemini.webhook import Webhook
from localcloud.secretmanager import SecretManager
from relay.errors import SecretManagerError
from relay.gcp.secrets import SecretVersions
from relay.registrar.settings import EVENTS
from tests.support.loop_thread import LoopThread
from tests.support.serving import serving

API_KEY = "AIza-test-key-that-nobody-may-see"
URI = "https://relay.example/"
SECRET = "projects/test-project/secrets/signing-secret"
AT_ONCE = ("--revocation-behavior", "revoke_previous_secrets_immediately")


@dataclass
class Terminal:
    """A terminal beside a simulator: runs commands, and looks behind the scenes."""

    gemini: Gemini
    secrets: SecretManagerServiceClient
    said: list[str]

    def run(self, *words: str) -> Any:
        """Run a command with --json and return what it printed; raises what it raises."""
        result = CliRunner().invoke(app, ["webhook", *words, "--json"])
        self.said.append(result.output)
        if result.exception is not None:
            self.said.append(str(result.exception))
            raise result.exception
        return json.loads(result.output)

    def text(self, *words: str) -> str:
        """Run a command for people and return what it printed."""
        result = CliRunner().invoke(app, ["webhook", *words])
        self.said.append(result.output)
        assert result.exit_code == 0
        return str(result.output)

    def webhook(self) -> Webhook:
        (webhook,) = self.gemini.webhooks
        return webhook

    def versions(self) -> list[str]:
        """Return what the secret's enabled versions hold, newest first."""
        listed = self.secrets.list_secret_versions(
            request={"parent": SECRET, "filter": "state:ENABLED"}
        )
        names = [each.name for each in listed]
        found = [self.secrets.access_secret_version(name=name) for name in names]
        return [version.payload.data.decode() for version in found]

    def fault(self, operation: str, kind: FaultKind) -> None:
        self.gemini.gate.faults.add(Fault(f"webhooks.{operation}", kind))


@contextlib.asynccontextmanager
async def simulated() -> AsyncIterator[tuple[Gemini, str, str]]:
    gemini = Gemini(settings=Settings(api_keys=frozenset({API_KEY})))
    secrets = SecretManager(SystemClock())
    listener = await rpc.listen(secrets.services)
    async with serving(gemini.app) as url:
        yield gemini, url, listener.address
    await gemini.close()
    await listener.stop()
    await secrets.close()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    with LoopThread() as thread:
        stack = contextlib.AsyncExitStack()

        async def start() -> tuple[Gemini, str, str]:
            return await stack.enter_async_context(simulated())

        gemini, url, address = thread.run(start())
        monkeypatch.setenv("GEMINI_API_KEY", API_KEY)
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", url)
        monkeypatch.setenv("SECRET_MANAGER_EMULATOR_HOST", address)
        monkeypatch.setenv("SIGNING_SECRET", SECRET)
        channel = grpc.insecure_channel(address)
        transport = SecretManagerServiceGrpcTransport(channel=channel)
        with SecretManagerServiceClient(transport=transport) as client:
            client.create_secret(
                parent="projects/test-project",
                secret_id="signing-secret",
                secret=Secret({"replication": {"automatic": {}}}),
            )
            terminal = Terminal(gemini, client, [])
            yield terminal
        secrets = {each.value for webhook in gemini.webhooks for each in webhook.secrets}
        everything = "\n".join(terminal.said)
        assert [secret for secret in (API_KEY, *secrets) if secret in everything] == []
        thread.run(stack.aclose())


def test_create_stores_the_secret(terminal: Terminal) -> None:
    created = terminal.run("create", "--uri", URI)
    webhook = terminal.webhook()
    assert created["id"] == webhook.id
    assert created["secret"].endswith(f"{SECRET}/versions/1")
    assert terminal.versions() == [webhook.secrets[0].value]
    assert set(webhook.subscribed_events) == set(EVENTS)


def test_create_keeps_the_secret_in_a_file_of_ones_own(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    terminal.run("create", "--uri", URI, "--event", "batch.failed", "--secret-file", str(path))
    assert path.read_text() == f"{terminal.webhook().secrets[0].value}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert terminal.webhook().subscribed_events == ["batch.failed"]
    assert [*tmp_path.iterdir()] == [path]


def test_create_revokes_no_other_webhooks_secret(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    for number in range(2):
        terminal.run("create", "--uri", f"{URI}{number}")
        terminal.run("create", "--uri", f"{URI}{number}", "--secret-file", str(path))
    assert len(terminal.versions()) == 2
    assert len(path.read_text().split()) == 2


def test_create_asks_first_where_the_secret_is_to_go(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        terminal.run("create", "--uri", URI, "--signing-secret", "signing-secret")
    with pytest.raises(SecretNotStored, match="NOT_FOUND"):
        terminal.run("create", "--uri", URI, "--signing-secret", f"{SECRET}-other")
    with pytest.raises(SecretNotStored):
        terminal.run("create", "--uri", URI, "--secret-file", str(tmp_path / "no" / "secret"))
    monkeypatch.delenv("SIGNING_SECRET")
    with pytest.raises(UsageError, match="once"):
        terminal.run("create", "--uri", URI)
    assert [*terminal.gemini.webhooks] == []


def test_list_pages(terminal: Terminal) -> None:
    assert "No webhooks." in terminal.text("list")
    for number in range(3):
        terminal.run("create", "--uri", f"{URI}{number}")
    every = terminal.run("list")["webhooks"]
    assert [webhook["uri"] for webhook in every] == [f"{URI}{number}" for number in range(3)]
    page = terminal.run("list", "--page-size", "2")
    assert page["webhooks"] == every[:2]
    rest = terminal.run("list", "--page-token", page["next_page_token"])
    assert rest["webhooks"] == every[2:]
    assert page["next_page_token"] in terminal.text("list", "--page-size", "2")
    assert f"{URI}2" in terminal.text("list")


def test_show_by_id_or_uri(terminal: Terminal) -> None:
    created = terminal.run("create", "--uri", URI)
    by_id = terminal.run("show", created["id"])
    assert by_id == terminal.run("show", "--uri", URI)
    assert by_id == terminal.run("show", "--uri", URI.replace("https", "HTTPS"))
    assert by_id["signing_secrets"][0]["truncated_secret"].startswith("whsec_...")
    assert URI in terminal.text("show", created["id"])
    for words in ((), (created["id"], "--uri", URI), ("--uri", "https://other.example/")):
        with pytest.raises(UsageError):
            terminal.run("show", *words)
    with pytest.raises(HooksError, match="404"):
        terminal.run("show", "unknown")
    with pytest.raises(HooksError, match="no webhook unknown"):
        terminal.run("delete", "unknown", "--yes")


@pytest.mark.parametrize("state", ["disabled", "disabled_due_to_failed_deliveries"])
def test_a_webhook_that_gets_nothing_is_shown_with_the_way_out(
    terminal: Terminal, state: Literal["disabled", "disabled_due_to_failed_deliveries"]
) -> None:
    terminal.run("create", "--uri", URI, "--signing-secret", SECRET)
    assert "To leave that" not in terminal.text("list")
    webhook = terminal.webhook()
    webhook.state = state
    for words in (("show", webhook.id), ("list",)):
        told = " ".join(terminal.text(*words).split())
        assert f"hooks webhook update {webhook.id} --state enabled" in told
    terminal.text("update", webhook.id, "--state", "enabled")
    assert "To leave that" not in terminal.text("show", webhook.id)


def test_update_changes_what_is_given(terminal: Terminal) -> None:
    created = terminal.run("create", "--uri", URI, "--name", "before")
    updated = terminal.run("update", created["id"], "--state", "disabled", "--name", "after")
    assert (updated["state"], updated["name"], updated["uri"]) == ("disabled", "after", URI)
    with pytest.raises(UsageError):
        terminal.run("update", created["id"])
    with pytest.raises(HooksError, match="https"):
        terminal.run("update", created["id"], "--uri", "http://relay.example/")


def test_ping_and_delete(terminal: Terminal) -> None:
    created = terminal.run("create", "--uri", URI)
    assert terminal.run("ping", created["id"])["pinged"]
    assert "pinged" in terminal.text("ping", "--uri", URI)
    assert terminal.run("delete", "--uri", URI, "--yes") == {"id": created["id"], "deleted": True}
    assert [*terminal.gemini.webhooks] == []


@pytest.mark.parametrize(
    ("behavior", "active"),
    [("revoke_previous_secrets_after_h24", 2), ("revoke_previous_secrets_immediately", 1)],
)
def test_rotate_keeps_the_new_secret(
    terminal: Terminal, tmp_path: Path, behavior: str, active: int
) -> None:
    path = tmp_path / "secret"
    terminal.run("create", "--uri", URI, "--secret-file", str(path))
    words = ("rotate", "--uri", URI, "--revocation-behavior", behavior)
    rotated = terminal.run(*words, "--secret-file", str(path))
    assert rotated["secret"] == str(path)
    secrets = [each.value for each in terminal.webhook().secrets]
    assert len(secrets) == active
    assert path.read_text().split() == secrets
    terminal.run(*words)
    assert terminal.versions() == [terminal.webhook().secrets[0].value]
    terminal.run(*words)
    secrets = [each.value for each in terminal.webhook().secrets]
    assert terminal.versions() == secrets[:active]


def test_a_secret_that_is_revoked_at_once_leaves_even_those_that_the_list_lacks(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lagging(versions: SecretVersions) -> dict[int, datetime]:
        found = await enabled(versions)
        return {number: found[number] for number in sorted(found)[:1]}

    enabled = SecretVersions.enabled
    monkeypatch.setattr(SecretVersions, "enabled", lagging)
    terminal.run("create", "--uri", URI)
    for _ in range(2):
        terminal.run("rotate", "--uri", URI)
    terminal.run("rotate", "--uri", URI, *AT_ONCE)
    assert terminal.versions() == [terminal.webhook().secrets[0].value]


def test_secrets_that_cannot_be_revoked_are_named_with_the_commands_to_do_so(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(_versions: SecretVersions, _number: int) -> None:
        raise SecretManagerError("PERMISSION_DENIED")

    terminal.run("create", "--uri", URI)
    terminal.run("rotate", "--uri", URI)
    monkeypatch.setattr(SecretVersions, "disable", refused)
    disable = "gcloud secrets versions disable {} --secret=signing-secret --project=test-project"
    with pytest.raises(SecretNotRevoked) as told:
        terminal.run("rotate", "--uri", URI, *AT_ONCE)
    assert f"`{disable.format(1)} && {disable.format(2)}`" in str(told.value)
    assert "lost" not in str(told.value)
    assert terminal.versions()[0] == terminal.webhook().secrets[0].value


def test_apply_converges(terminal: Terminal) -> None:
    foreign = terminal.run("create", "--uri", "https://foreign.example/")
    before = terminal.run("show", foreign["id"])
    assert terminal.run("apply", "--uri", URI)["changed"] == ["created"]
    assert terminal.run("apply", "--uri", URI)["changed"] == []
    terminal.run("apply", "--uri", URI, "--name", "other", "--event", "batch.failed")
    (ours,) = [each for each in terminal.gemini.webhooks if each.uri == URI]
    assert (ours.name, ours.subscribed_events) == ("other", ["batch.failed"])
    ours.apply({"state": "disabled"}, 0.0)
    changed = terminal.run("apply", "--uri", URI)["changed"]
    assert changed == ["name", "state", "subscribed_events"]
    assert ours.state == "enabled"
    assert terminal.versions()[0] == ours.secrets[0].value
    assert terminal.run("show", foreign["id"]) == before


def test_apply_mends_a_secret_that_was_lost(terminal: Terminal) -> None:
    terminal.fault("create", "lost-reply")
    with pytest.raises(HooksError, match="may have acted"):
        terminal.run("apply", "--uri", URI)
    assert terminal.run("apply", "--uri", URI)["changed"] == ["secret"]
    assert terminal.versions() == [terminal.webhook().secrets[0].value]


def test_apply_does_not_take_an_older_secret_for_its_own(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.secrets.add_secret_version(
        parent=SECRET, payload=SecretPayload({"data": b"whsec_b2xk"})
    )
    terminal.gemini.webhooks.create({"uri": URI, "subscribed_events": ["batch.failed"]})
    terminal.webhook().created += 3600
    assert "secret" in terminal.run("apply", "--uri", URI)["changed"]
    assert terminal.versions()[0] == terminal.webhook().secrets[0].value
    monkeypatch.delenv("SIGNING_SECRET")
    assert terminal.run("apply", "--uri", URI)["changed"] == []


def test_apply_leaves_doubles_to_people(terminal: Terminal) -> None:
    for _ in range(2):
        terminal.run("create", "--uri", URI)
    with pytest.raises(UsageError, match="2 webhooks"):
        terminal.run("apply", "--uri", URI)


def test_a_secret_that_cannot_be_kept_is_told_to_be_lost(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_self: FileStore, _secret: str, *, alone: bool) -> str:
        raise SecretNotStored(f"The disk is full{'' if alone else ' again'}.")

    monkeypatch.setattr(FileStore, "store", fail)
    path = str(tmp_path / "secret")
    for words, options in (((), ""), (("--project", "p"), " --project p")):
        with pytest.raises(SecretNotStored) as told:
            terminal.run("create", "--uri", URI, "--secret-file", path, *words)
        webhook = [*terminal.gemini.webhooks][-1].id
        rotate = f"hooks webhook rotate {webhook} --secret-file {path}{options}"
        assert str(told.value) == f"The disk is full again. It is lost: run `{rotate}`."


def test_a_secret_that_secret_manager_cannot_keep_is_made_again_for_the_same_place(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(_versions: SecretVersions, _secret: bytes) -> int:
        raise SecretManagerError("PERMISSION_DENIED")

    monkeypatch.setattr(SecretVersions, "add", refused)
    with pytest.raises(SecretNotStored) as told:
        terminal.run("create", "--uri", URI)
    rotate = f"hooks webhook rotate {terminal.webhook().id} --signing-secret {SECRET}"
    assert f"run `{rotate}`" in str(told.value)


def test_a_file_that_holds_something_else_is_left_alone(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "photo"
    path.write_bytes(b"\xff\xd8")
    with pytest.raises(SecretNotStored, match="no signing secrets"):
        terminal.run("create", "--uri", URI, "--secret-file", str(path))
    assert path.read_bytes() == b"\xff\xd8"


def test_without_an_api_key_nothing_is_asked(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GEMINI_API_KEY")
    with pytest.raises(UsageError, match="GEMINI_API_KEY"):
        terminal.run("list")
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-wrong")
    with pytest.raises(HooksError, match="API key not valid"):
        terminal.run("list")


def test_nothing_is_asked_twice(terminal: Terminal) -> None:
    terminal.fault("create", "error-after")
    with pytest.raises(HooksError, match="503"):
        terminal.run("create", "--uri", URI)
    assert len([*terminal.gemini.webhooks]) == 1
