import pytest

from hooks.bodies import body_subject, body_type, presentable


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"type": "a.b"}', "a.b"),
        (b'{"type": 1}', ""),
        (b"[]", ""),
        (b"\xff", ""),
        (b"[" * 100_000, ""),
    ],
)
def test_a_body_states_its_type_or_none(data: bytes, kind: str) -> None:
    assert body_type(data) == kind


@pytest.mark.parametrize(
    ("data", "subject"),
    [
        (b'{"data": {"id": "batch_1"}}', "batch_1"),
        (b'{"data": {"video_uri": "https://h.example/v1beta/files/f:download"}}', "files/f"),
        (b'{"data": {"id": 1}}', ""),
        (b'{"data": []}', ""),
        (b"[]", ""),
    ],
)
def test_a_body_states_its_subject_or_none(data: bytes, subject: str) -> None:
    assert body_subject(data) == subject


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"\xff", {"base64": "/w=="}),
        (b"[", {"base64": "Ww=="}),
    ],
)
def test_a_body_that_is_not_json_is_shown_in_base64(data: bytes, shown: object) -> None:
    assert presentable(data) == shown
