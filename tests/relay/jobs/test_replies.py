"""What the API's JSON says of a job, and that whatever it lacks is empty."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.jobs import names, replies
from relay.jobs.replies import Seen

URI = "https://generativelanguage.googleapis.com/v1beta/files/{}:download?alt=media"


def video(**response: Any) -> dict[str, Any]:
    return {"done": True, "response": {"generateVideoResponse": response}}


def samples(*uris: str) -> list[dict[str, Any]]:
    return [{"video": {"uri": uri}} for uri in uris]


@pytest.mark.parametrize(
    ("kind", "reply", "seen"),
    [
        ("interaction", {"status": "in_progress"}, Seen("in_progress")),
        ("interaction", {"status": "COMPLETED"}, Seen("completed", "succeeded")),
        ("interaction", {"status": "idle"}, Seen("idle")),
        ("interaction", {"status": "budget_exceeded"}, Seen("budget_exceeded", "incomplete")),
        (
            "interaction",
            {"status": "failed", "errors": [{"code": 13, "message": "no"}, {"code": 1}]},
            Seen("failed", "failed", {"code": "13", "message": "no"}),
        ),
        (
            "interaction",
            {"status": "failed", "error": {"status": "INTERNAL", "code": 13}},
            Seen("failed", "failed", {"code": "INTERNAL", "message": ""}),
        ),
        ("interaction", {"status": "completed", "errors": [{}]}, Seen("completed", "succeeded")),
        ("batch", {"metadata": {"state": "BATCH_STATE_RUNNING"}}, Seen("running")),
        ("batch", {"state": "JOB_STATE_EXPIRED"}, Seen("expired", "expired")),
        (
            "batch",
            {
                "metadata": {
                    "state": "BATCH_STATE_SUCCEEDED",
                    "output": {"responsesFile": "files/batch-1"},
                }
            },
            Seen("succeeded", "succeeded", None, ("files/batch-1",)),
        ),
        ("batch", {"metadata": {"state": "BATCH_STATE_FAILED"}}, Seen("failed", "failed")),
        ("batch", {"done": True}, Seen("succeeded", "succeeded")),
        ("batch", {"done": True, "error": {}}, Seen("succeeded", "succeeded")),
        (
            "batch",
            {"done": True, "metadata": {"state": "BATCH_STATE_RUNNING"}, "error": {"code": 3}},
            Seen("failed", "failed", {"code": "3", "message": ""}),
        ),
        ("video", {"name": "models/veo/operations/x"}, Seen("running")),
        (
            "video",
            {"done": True, "error": {"message": "no"}},
            Seen("failed", "failed", {"code": "unknown", "message": "no"}),
        ),
        (
            "video",
            video(generatedSamples=samples(URI.format("a"), URI.format("b-c"))),
            Seen(
                "generated",
                "succeeded",
                None,
                ("files/a", "files/b-c"),
                (URI.format("a"), URI.format("b-c")),
            ),
        ),
        (
            "video",
            video(generatedSamples=samples("gs://bucket/v.mp4")),
            Seen("generated", "succeeded", None, (), ("gs://bucket/v.mp4",)),
        ),
        (
            "video",
            video(raiMediaFilteredCount=2, raiMediaFilteredReasons=["first", "second"]),
            Seen("failed", "failed", {"code": "filtered", "message": "first"}),
        ),
    ],
)
def test_a_reply_is_read(kind: str, reply: dict[str, Any], seen: Seen) -> None:
    assert replies.read(kind, reply) == seen


def test_a_video_without_a_video_has_failed_and_says_so() -> None:
    for response, code in (({}, "unknown"), ({"raiMediaFilteredCount": 1}, "filtered")):
        seen = replies.read(names.VIDEO, video(**response))
        assert (seen.outcome, (seen.error or {}).get("code")) == ("failed", code)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    ["status", "state", "metadata", "error", "errors", "done", "response", "output"]
)


@given(st.sampled_from(sorted(names.KINDS)), st.dictionaries(FIELDS, JSON))
def test_no_reply_is_too_odd_to_be_read(kind: str, reply: dict[str, Any]) -> None:
    seen = replies.read(kind, reply)
    assert isinstance(seen.status, str)
    assert seen.error is None or all(isinstance(text, str) for text in seen.error.values())
