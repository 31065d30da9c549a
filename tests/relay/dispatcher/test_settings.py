from datetime import timedelta

from relay.dispatcher.claims import Terms
from relay.dispatcher.routes import Route
from relay.dispatcher.settings import Settings

PROJECT = {"GOOGLE_CLOUD_PROJECT": "my-project"}


def test_defaults() -> None:
    assert Settings.read(PROJECT) == Settings(
        project="my-project",
        dead_letter_topic="projects/my-project/topics/gemini-webhooks-dead-letter",
        routes=(Route("events", "projects/my-project/topics/gemini-webhooks-events"),),
        terms=Terms(timedelta(seconds=120), timedelta(days=7)),
    )


def test_everything_set() -> None:
    settings = Settings.read(
        PROJECT
        | {
            "EVENTS_TOPIC": "events",
            "DEAD_LETTER_TOPIC": "projects/other/topics/dead",
            "ROUTES": '[{"name": "blue", "types": ["batch.*"], "topic": "blue"}]',
            "LEASE_SECONDS": "60",
            "DEDUP_RETENTION_DAYS": "1",
        }
    )
    assert settings.dead_letter_topic == "projects/other/topics/dead"
    assert settings.routes == (
        Route("events", "projects/my-project/topics/events"),
        Route("blue", "projects/my-project/topics/blue", ("batch.*",), {}),
    )
    assert settings.terms == Terms(timedelta(seconds=60), timedelta(days=1))


def test_the_source_names_the_project() -> None:
    source = Settings.read(PROJECT).source
    assert source == "//generativelanguage.googleapis.com/projects/my-project"
