import json
from pathlib import Path
from typing import Any

import pytest

from relay.dispatcher.routes import (
    EVENTS,
    MAX_GLOBS,
    MAX_METADATA,
    MAX_ROUTES,
    Route,
    read_routes,
    select,
)
from relay.environment import Environment
from relay.errors import ConfigurationError

BLUE = {"name": "blue", "types": ["batch.*"], "metadata": {"team": "blue"}, "topic": "blue"}


def routes_of(routes: object) -> tuple[Route, ...]:
    text = routes if isinstance(routes, str) else json.dumps(routes)
    return read_routes(Environment({"GOOGLE_CLOUD_PROJECT": "my-project", "ROUTES": text}))


def test_the_events_topic_is_always_a_route() -> None:
    assert routes_of("") == (
        Route(EVENTS, "projects/my-project/topics/gemini-webhooks-events", ("*",)),
    )


def test_the_events_topic_can_be_named() -> None:
    topic = "projects/other/topics/events"
    environment = Environment({"GOOGLE_CLOUD_PROJECT": "my-project", "EVENTS_TOPIC": topic})
    assert read_routes(environment)[0].topic == topic


def test_routes_as_json() -> None:
    blue = Route("blue", "projects/my-project/topics/blue", ("batch.*",), {"team": "blue"})
    assert routes_of([BLUE])[1:] == (blue,)


def test_routes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "routes.json"
    file.write_text(json.dumps([{**BLUE, "topic": "projects/p2/topics/blue"}]))
    assert routes_of(str(file))[1].topic == "projects/p2/topics/blue"


@pytest.mark.parametrize(
    ("event_type", "metadata", "matches"),
    [
        ("batch.succeeded", {"team": "blue"}, True),
        ("batch.", {"team": "blue", "more": "x"}, True),
        ("batch.succeeded", {"team": "green"}, False),
        ("batch.succeeded", {}, False),
        ("BATCH.succeeded", {"team": "blue"}, False),
        ("video.generated", {"team": "blue"}, False),
    ],
)
def test_a_route_matches_by_type_and_all_metadata(
    event_type: str, metadata: dict[str, str], *, matches: bool
) -> None:
    assert routes_of([BLUE])[1].matches(event_type, metadata) is matches


def test_each_metadata_entry_of_a_route_must_match() -> None:
    route = routes_of([{**BLUE, "metadata": {"team": "blue", "stage": "live"}}])[1]
    assert route.matches("batch.failed", {"team": "blue", "stage": "live", "more": "1"})
    assert not route.matches("batch.failed", {"team": "blue"})
    assert not route.matches("batch.failed", {"team": "blue", "stage": "test"})


def test_metadata_is_compared_as_json_writes_it() -> None:
    route = routes_of([{**BLUE, "metadata": {"n": 7, "on": True, "text": "7"}}])[1]
    assert route.matches("batch.x", {"n": "7", "on": "true", "text": "7"})


def test_an_event_takes_every_route_that_matches_and_each_topic_once() -> None:
    routes = routes_of(
        [
            {"name": "all", "types": ["*"], "topic": "shared"},
            {"name": "again", "types": ["batch.*"], "topic": "shared"},
            {"name": "video", "types": ["video.*"], "topic": "video"},
        ]
    )
    assert [route.name for route in select(routes, "batch.failed", {})] == [EVENTS, "all"]
    assert [route.name for route in select(routes, "video.x", {})] == [EVENTS, "all", "video"]


@pytest.mark.parametrize(
    ("routes", "problem"),
    [
        ("[{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "not a list"),
        ("/no/such/file", "neither JSON nor the path"),
        ("nul\0byte", "neither JSON nor the path"),
        ([7], "entry 1 is not an object"),
        ([BLUE] * (MAX_ROUTES + 1), "more than 50"),
        ([BLUE, BLUE], "entry 2: its name is taken"),
        ([{**BLUE, "name": "events"}], "entry 1: its name is taken"),
        ([{**BLUE, "name": ""}], "name is not"),
        ([{**BLUE, "name": "a b"}], "name is not"),
        ([{**BLUE, "name": None}], "name is not"),
        ([{**BLUE, "topic": None}], "topic is not a string"),
        ([{**BLUE, "topic": "a/b"}], "neither a topic's name nor"),
        ([{**BLUE, "types": "batch.*"}], "types is not a list"),
        ([{**BLUE, "types": []}], "types is not a list"),
        ([{**BLUE, "types": ["*"] * (MAX_GLOBS + 1)}], "types is not a list"),
        ([{**BLUE, "types": [7]}], "types holds something else"),
        ([{**BLUE, "types": [""]}], "types holds something else"),
        ([{**BLUE, "metadata": []}], "metadata is not an object"),
        ([{**BLUE, "metadata": {str(n): 1 for n in range(MAX_METADATA + 1)}}], "metadata is not"),
        ([{**BLUE, "metadata": {"a": None}}], "metadata holds something else"),
        ([{**BLUE, "filter": "x"}], "unknown field"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_wrong_value_is_refused_with_a_remedy(routes: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as refused:
        routes_of(routes)
    assert refused.value.variable == "ROUTES"
    assert "for example ROUTES=[{" in str(refused.value)


def test_a_file_of_unreasonable_size_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "routes.json"
    file.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(ConfigurationError, match="names a file of more than"):
        routes_of(str(file))
