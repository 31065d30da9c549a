import pytest

from relay.errors import ConfigurationError
from relay.keys.jwks import GOOGLE_JWKS_URI
from relay.keys.secret import parse_secret
from relay.receiver.settings import Settings
from tests.support.signing import secret

SECRET_PATH = "projects/my-project/secrets/gemini-webhook"
BASE = {"GOOGLE_CLOUD_PROJECT": "my-project", "WEBHOOK_SIGNING_SECRET": secret()}


def read(**changes: str | None) -> Settings:
    """Read the smallest environment with changes; None leaves a variable out."""
    environ: dict[str, str | None] = {**BASE, **changes}
    return Settings.read({name: value for name, value in environ.items() if value is not None})


def problem(**changes: str | None) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        read(**changes)
    return caught.value


def test_defaults() -> None:
    settings = read()
    assert settings.topic == "projects/my-project/topics/gemini-webhooks-ingress"
    assert settings.schemes == ("v1",)
    assert settings.secrets == (parse_secret(secret()),)
    assert settings.secret_path == ""
    assert settings.jwks_uri == GOOGLE_JWKS_URI
    assert settings.audiences == ()
    assert settings.tolerance == 300
    assert settings.max_body == 262_144
    assert settings.secret_manager_emulator == ""


def test_everything_set() -> None:
    settings = read(
        INGRESS_TOPIC="projects/other/topics/inbox",
        WEBHOOK_SIGNING_SECRET=f"{secret(1)}  {secret(0)}",
        SCHEMES="jwt, v1",
        JWKS_URI="http://127.0.0.1:8080/jwks",
        JWT_AUDIENCE="a, https://hooks.example.com/",
        TIMESTAMP_TOLERANCE_SECONDS="60",
        MAX_BODY_BYTES="1000",
        SECRET_MANAGER_EMULATOR_HOST="127.0.0.1:9",
    )
    assert settings.topic == "projects/other/topics/inbox"
    assert settings.secrets == (parse_secret(secret(1)), parse_secret(secret(0)))
    assert settings.schemes == ("v1", "jwt")
    assert settings.jwks_uri == "http://127.0.0.1:8080/jwks"
    assert settings.audiences == ("a", "https://hooks.example.com/")
    assert (settings.tolerance, settings.max_body) == (60, 1000)
    assert settings.secret_manager_emulator == "127.0.0.1:9"


def test_dynamic_webhooks_are_switched_on() -> None:
    assert read(SCHEMES="v1,v1a").schemes == ("v1", "v1a")
    assert read(SCHEMES="v1,v1a,jwt", JWT_AUDIENCE="me").schemes == ("v1", "v1a", "jwt")


@pytest.mark.parametrize("schemes", [None, "v1,v1a"])
def test_an_audience_for_tokens_that_are_not_accepted_is_a_mistake(schemes: str | None) -> None:
    error = problem(JWT_AUDIENCE="me", SCHEMES=schemes)
    assert error.variable == "SCHEMES"
    assert f"SCHEMES={schemes or 'v1'},jwt" in str(error)


def test_memory_must_hold_as_many_bodies_as_requests() -> None:
    largest = {"MAX_BODY_BYTES": "1048576"}
    assert read(**largest, CONCURRENCY="80", MEMORY_MIB="512").max_body == 1_048_576
    error = problem(**largest, CONCURRENCY="100", MEMORY_MIB="512")
    assert error.variable == "MEMORY_MIB"
    assert "which need 528; for example MEMORY_MIB=528" in str(error)
    assert read(**largest, CONCURRENCY="100").max_body == 1_048_576


def test_the_secret_may_be_in_secret_manager() -> None:
    settings = read(WEBHOOK_SIGNING_SECRET=None, SIGNING_SECRET=SECRET_PATH)
    assert (settings.secrets, settings.secret_path) == ((), SECRET_PATH)


def test_without_v1_no_secret_is_needed() -> None:
    settings = read(WEBHOOK_SIGNING_SECRET=None, SCHEMES="v1a")
    assert (settings.secrets, settings.secret_path) == ((), "")


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"GOOGLE_CLOUD_PROJECT": None}, "GOOGLE_CLOUD_PROJECT"),
        (
            {"GOOGLE_CLOUD_PROJECT": None, "INGRESS_TOPIC": "projects/other/topics/inbox"},
            "GOOGLE_CLOUD_PROJECT",
        ),
        ({"INGRESS_TOPIC": "not a topic"}, "INGRESS_TOPIC"),
        ({"WEBHOOK_SIGNING_SECRET": None}, "SIGNING_SECRET"),
        ({"WEBHOOK_SIGNING_SECRET": " "}, "SIGNING_SECRET"),
        ({"SIGNING_SECRET": SECRET_PATH}, "SIGNING_SECRET"),
        ({"WEBHOOK_SIGNING_SECRET": None, "SIGNING_SECRET": "gemini"}, "SIGNING_SECRET"),
        (
            {"WEBHOOK_SIGNING_SECRET": None, "SIGNING_SECRET": SECRET_PATH + "/versions/1"},
            "SIGNING_SECRET",
        ),
        ({"WEBHOOK_SIGNING_SECRET": "hunter2"}, "WEBHOOK_SIGNING_SECRET"),
        ({"WEBHOOK_SIGNING_SECRET": f"{secret()},{secret(1)}"}, "WEBHOOK_SIGNING_SECRET"),
        ({"WEBHOOK_SIGNING_SECRET": f"{secret()} hunter2"}, "WEBHOOK_SIGNING_SECRET"),
        ({"WEBHOOK_SIGNING_SECRET": " ".join(map(secret, range(9)))}, "WEBHOOK_SIGNING_SECRET"),
        ({"SCHEMES": "v1,v2"}, "SCHEMES"),
        ({"SCHEMES": "V1"}, "SCHEMES"),
        ({"SCHEMES": "v1 v1a"}, "SCHEMES"),
        ({"SCHEMES": "v1,jwt"}, "JWT_AUDIENCE"),
        ({"JWKS_URI": "http://keys.example.com/"}, "JWKS_URI"),
        ({"TIMESTAMP_TOLERANCE_SECONDS": "0"}, "TIMESTAMP_TOLERANCE_SECONDS"),
        ({"TIMESTAMP_TOLERANCE_SECONDS": "5m"}, "TIMESTAMP_TOLERANCE_SECONDS"),
        ({"MAX_BODY_BYTES": "256KiB"}, "MAX_BODY_BYTES"),
        ({"MAX_BODY_BYTES": "1048577"}, "MAX_BODY_BYTES"),
    ],
)
def test_a_wrong_value_stops_the_start(changes: dict[str, str | None], variable: str) -> None:
    error = problem(**changes)
    assert error.variable == variable
    assert str(error).startswith(f"{variable} {error.problem}; for example {variable}=")


def test_no_message_holds_a_secret() -> None:
    error = problem(WEBHOOK_SIGNING_SECRET=f"{secret(7)} hunter2")
    assert "hunter2" not in str(error)
    assert secret(7) not in str(error)


def test_the_settings_do_not_print_what_they_hold() -> None:
    assert str(parse_secret(secret())) not in repr(read())
