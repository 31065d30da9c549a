import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.ingress import message, parse_time, rfc3339

NOW = datetime(2027, 1, 15, 8, 0, 0, 250_999, tzinfo=UTC)


def test_a_message_of_ours_has_geminis_form() -> None:
    body, attributes = message("rec_1", "reconciled", "batch.failed", {"id": "x"}, NOW)
    assert json.loads(body) == {
        "type": "batch.failed",
        "version": "v1",
        "timestamp": "2027-01-15T08:00:00.250Z",
        "data": {"id": "x"},
    }
    assert attributes == {
        "webhook-id": "rec_1",
        "dedup-key": "rec_1",
        "webhook-timestamp": "1800000000",
        "scheme": "reconciled",
        "received-at": "2027-01-15T08:00:00.250Z",
    }


def test_what_json_cannot_hold_becomes_text() -> None:
    odd = {"at": NOW, "number": float("nan"), "text": "\ud800ü", "many": [float("inf")]}
    body, _ = message("rec_1", "reconciled", "t", odd, NOW + timedelta(days=1))
    assert json.loads(body.decode("ascii"))["data"] == {
        "at": "2027-01-15 08:00:00.250999+00:00",
        "number": "NaN",
        "text": "\ud800ü",
        "many": ["Infinity"],
    }


@given(st.floats(0, 4e9))
@example(1_800_000_000.9996)
@example(0.0)
def test_rfc3339(seconds: float) -> None:
    text = rfc3339(seconds)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert 0 <= seconds - datetime.fromisoformat(text).timestamp() < 0.001 + 1e-6


def test_rfc3339_in_words() -> None:
    assert rfc3339(1_800_000_000.25) == "2027-01-15T08:00:00.250Z"


@pytest.mark.parametrize("text", ["2026-01-22T12:00:00", "", "now", "2026-01-22T12:00:00+9:00"])
def test_malformed_times(text: str) -> None:
    assert parse_time(text) is None
