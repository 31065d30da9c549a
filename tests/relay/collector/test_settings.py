import pytest

from relay.collector.settings import Settings
from relay.errors import ConfigurationError

ENVIRON = {
    "GOOGLE_CLOUD_PROJECT": "my-project",
    "BUCKET": "my-results",
    "GEMINI_API_KEY": "AIza-secret",
}


def test_defaults() -> None:
    settings = Settings.read(ENVIRON)
    assert settings == Settings(
        bucket="my-results",
        ingress_topic="projects/my-project/topics/gemini-webhooks-ingress",
        dead_letter_topic="projects/my-project/topics/gemini-webhooks-dead-letter",
        api_key="AIza-secret",
    )
    assert "AIza" not in repr(settings)


def test_everything() -> None:
    topics = {"INGRESS_TOPIC": "ingress", "DEAD_LETTER_TOPIC": "projects/p/topics/dead"}
    settings = Settings.read({**ENVIRON, **topics, "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:1"})
    assert settings.ingress_topic == "projects/my-project/topics/ingress"
    assert settings.dead_letter_topic == "projects/p/topics/dead"
    assert settings.base_url == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BUCKET", ""),
        ("BUCKET", "gs://my-results"),
        ("BUCKET", "UPPER"),
        ("GEMINI_API_KEY", ""),
        ("INGRESS_TOPIC", "a/b"),
        ("DEAD_LETTER_TOPIC", "x"),
        ("GOOGLE_CLOUD_PROJECT", ""),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.read({**ENVIRON, name: value})
    assert caught.value.variable == name
