"""Without Google credentials every command says how to get some."""

from pathlib import Path
from typing import Any

import google.auth
import pytest
from google.auth.exceptions import DefaultCredentialsError
from typer.testing import CliRunner

from hooks.cli import app
from hooks.errors import HooksError
from hooks.subscription import listening

REMEDY = "run `gcloud auth application-default login`"
TOPIC = "projects/p/topics/t"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have the machine know no credentials and no emulator."""

    def none(*_arguments: Any, **_named: Any) -> None:
        raise DefaultCredentialsError("none were found")

    monkeypatch.setattr(google.auth, "default", none)
    # `listen` keeps a file.
    monkeypatch.chdir(tmp_path)
    for name in ("HOOKS_OUTPUTS", "PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    # Gemini, which `doctor` asks first, is out of reach.
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("REGISTRAR_IDENTITY_TOKEN", raising=False)


@pytest.mark.parametrize(
    "words",
    [
        ("dlq", "list"),
        ("tail",),
        ("listen", "--forward-to", "http://127.0.0.1:9/"),
        ("events", "replay", "--since", "-1h"),
        ("recover", "projects/p/subscriptions/s", "--since", "-1h"),
    ],
)
def test_a_command_ends_with_the_way_to_get_them(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*words, "--project", "p"])
    assert isinstance(result.exception, HooksError), result.exception
    assert REMEDY in str(result.exception)


@pytest.mark.parametrize(
    "words", [("why", "evt_1"), ("doctor", "--url", "http://127.0.0.1:9/", "--wait", "1")]
)
def test_a_command_that_reads_many_things_names_what_it_could_not(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*words, "--project", "p"])
    assert result.exit_code == 1
    assert REMEDY in " ".join(result.output.split())


async def test_listening_is_refused_before_anything_is_made() -> None:
    with pytest.raises(HooksError, match="application-default login"):
        async with listening(TOPIC):
            pass
