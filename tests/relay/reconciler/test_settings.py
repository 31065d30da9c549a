from datetime import timedelta

import pytest

from relay.errors import ConfigurationError
from relay.reconciler.settings import Settings

ENVIRON = {
    "GOOGLE_CLOUD_PROJECT": "my-project",
    "JOBS_DATABASE": "gemini-jobs",
    "GEMINI_API_KEY": "AIza-secret",
}


def test_defaults() -> None:
    settings = Settings.read(ENVIRON)
    assert settings == Settings(
        ingress_topic="projects/my-project/topics/gemini-webhooks-ingress",
        api_key="AIza-secret",
    )
    assert (settings.per_second, settings.budget, settings.lease.total_seconds()) == (5, 240, 300)
    assert (settings.adopt, settings.give_up) == (False, timedelta(hours=72))
    assert "AIza" not in repr(settings)


def test_everything() -> None:
    settings = Settings.read(
        {
            **ENVIRON,
            "INGRESS_TOPIC": "projects/p/topics/ingress",
            "PER_SECOND": "7",
            "BUDGET_SECONDS": "100",
            "ADOPT": "batches",
            "GIVE_UP_HOURS": "48",
            "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:1",
        }
    )
    assert settings == Settings(
        ingress_topic="projects/p/topics/ingress",
        api_key="AIza-secret",
        base_url="http://127.0.0.1:1",
        per_second=7,
        budget=100.0,
        lease=timedelta(seconds=160),
        adopt=True,
        give_up=timedelta(hours=48),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JOBS_DATABASE", ""),
        ("JOBS_DATABASE", "X"),
        ("FIRESTORE_DATABASE", "X"),
        ("GEMINI_API_KEY", " "),
        ("INGRESS_TOPIC", "a/b"),
        ("PER_SECOND", "0"),
        ("BUDGET_SECONDS", "-1"),
        ("LEASE_SECONDS", "250"),
        ("GIVE_UP_HOURS", "0"),
        ("ADOPT", "everything"),
        ("GOOGLE_CLOUD_PROJECT", ""),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.read({**ENVIRON, name: value})
    assert caught.value.variable == name
