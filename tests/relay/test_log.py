import json

import pytest

from relay.log import log


def test_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log("WARNING", "delivery refused", reason="no\nsignature", count=2)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "severity": "WARNING",
        "message": "delivery refused",
        "reason": "no\nsignature",
        "count": 2,
    }


def test_what_is_not_json_is_written_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    log("ERROR", "publish failed", error=ValueError("late"))
    assert json.loads(capsys.readouterr().out)["error"] == "late"
