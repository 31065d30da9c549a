from typing import Any

import pytest

from relay.dispatcher.reference import Reference, read
from relay.dispatcher.texts import Number
from relay.jobs.names import key_id

JOB, OTHER = key_id("a"), key_id("b")


@pytest.mark.parametrize(
    ("event_type", "data", "expected"),
    [
        ("batch.succeeded", {"id": "batch_1"}, ("batch", "batch_1", "batch_1")),
        (
            "video.generated",
            {"video_uri": "https://h/v1/files/f:download"},
            ("video", *2 * ["files/f"]),
        ),
        ("video.generated", {"output_file_uri": "https://h/files/f"}, ("video", "files/f", "")),
        ("video.generated", {"id": "\u0000", "file_id": "f"}, ("video", "f", "f")),
        ("interaction.completed", {"id": Number("7")}, ("interaction", "7", "7")),
        ("interaction.completed", {"id": None}, ("interaction", "", "")),
        ("relay.job.lost", {"id": "batches/1"}, ("", "batches/1", "batches/1")),
    ],
)
def test_an_event_names_a_job(
    event_type: str, data: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    about = read(event_type, data, ())
    assert (about.kind, about.name, about.subject) == expected
    assert (about.identified, about.identity) == (False, None)


def test_a_name_has_a_bound() -> None:
    about = read("interaction.completed", {"id": 2000 * "ä"}, ())
    assert about.name == about.subject == 512 * "ä"


@pytest.mark.parametrize(
    ("given", "identified", "identity"),
    [
        ([{}, {}], False, None),
        ([{"relay_job": f"{JOB}.t"}, {}], True, (JOB, "t")),
        ([{}, {"relay_job": f"{JOB}.t"}], True, (JOB, "t")),
        ([{"relay_job": f"{JOB}.t"}, {"relay_job": f"{OTHER}.t"}], True, (JOB, "t")),
        ([{"relay_job": "x"}, {"relay_job": f"{OTHER}.t"}], True, (OTHER, "t")),
        ([{"relay_job": "x"}], True, None),
        ([{"relay_job": {"id": JOB}}], True, None),
        ([{"relay_job": None}], True, None),
    ],
)
def test_a_relay_job_is_looked_for_in_both_places(
    given: list[dict[str, Any]], identified: bool, identity: tuple[str, str] | None
) -> None:
    about = read("batch.failed", {}, given)
    assert (about.identified, about.identity) == (identified, identity)
    assert JOB not in repr(about)


def test_an_event_may_say_what_went_wrong() -> None:
    data = {"error_code": Number("13"), "error_message": 2000 * "m", "error_count": Number("1")}
    assert read("batch.failed", data, ()).error == {"code": "13", "message": 1024 * "m"}
    assert read("batch.failed", {"error_message": ["x"]}, ()) == Reference(kind="batch")
