import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from localcloud.gemini.catalogue import SCHEMAS, SUBSCRIBABLE, TYPES, envelope, example_data
from relay.dispatcher.event import read
from relay.registrar.settings import EVENTS
from relay.web.push import PushedMessage
from tests.support.schemas import check_event, validator

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = [
    pytest.param(name, example, id=f"{name}-{number}")
    for name, schema in SCHEMAS.items()
    for number, example in enumerate(schema["examples"], 1)
]


@pytest.mark.parametrize("name", TYPES)
def test_a_schema_is_valid_and_describes_the_type_of_its_name(name: str) -> None:
    validator(name)
    assert SCHEMAS[name]["title"] == name
    assert SCHEMAS[name]["properties"]["type"] == {"const": name}


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_is_valid_and_relayed_as_it_is(name: str, example: dict[str, Any]) -> None:
    body = json.dumps(example).encode()
    given = {"webhook-id": "msg_1", "dedup-key": "msg_1", "scheme": "v1a"}
    event = read(PushedMessage(body, given), source="//gemini")

    check_event(event.attributes["ce-type"], event.data)
    assert event.attributes["ce-type"] == name
    assert event.attributes["ce-time"] == example["timestamp"]
    assert event.attributes["ce-subject"] in json.dumps(example["data"])


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("metadata_in", ["top", "data"])
def test_the_simulator_sends_what_the_schema_says(name: str, metadata_in: str) -> None:
    data = example_data(name, "job_1")
    metadata = {"team": "blue"}
    body = envelope(name, data, now=0, user_metadata=metadata, metadata_in=metadata_in)

    check_event(name, body)
    assert "job_1" in json.dumps(data)


@pytest.mark.parametrize(
    "body",
    [b'{"type": "batch.failed"}', b'{"type": "batch.failed", "data": {}}', b"[]"],
    ids=["no-data", "no-id", "no-object"],
)
def test_a_body_without_what_its_type_requires_is_invalid(body: bytes) -> None:
    from jsonschema import ValidationError

    with pytest.raises(ValidationError):
        check_event("batch.failed", body)


def test_unknown_types_and_fields_are_valid() -> None:
    check_event("something.new", b'{"type": "something.new"}')
    check_event("batch.expired", b'{"type": "batch.expired", "data": {"id": "b", "x": 1}, "y": 2}')


def test_the_registrar_asks_for_what_can_be_subscribed_to() -> None:
    assert sorted(EVENTS) == sorted(SUBSCRIBABLE)


def test_the_page_shows_the_table() -> None:
    script = runpy.run_path(str(ROOT / "docs/event_types.py"))
    page = script["PAGE"].read_text("utf-8")
    assert script["render"](page) == page
    assert script["render"](page.replace("| A batch was cancelled. |", "| ? |")) == page
    with pytest.raises(ValueError, match="marks"):
        script["render"](page.replace("<!-- end -->", ""))
