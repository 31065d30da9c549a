"""A request's digest, and the body of a video: pure parts."""

import base64

import pytest
from google.genai.types import GenerateVideosConfig, Image, InlinedRequest

from gemini_relay.request import fingerprint, video_body


def digest(**request: object) -> str:
    return fingerprint("interaction", "model", request)


def test_a_fingerprint_is_the_same_for_the_same_request_however_it_is_written() -> None:
    assert digest(a=1, b={"x": 1, "y": [2]}) == digest(b={"y": (2,), "x": 1}, a=1)
    typed = InlinedRequest.model_validate({"contents": [{"parts": [{"text": "hi"}]}]})
    plain = {"contents": [{"parts": [{"text": "hi"}]}]}
    assert digest(src=[typed]) == digest(src=[plain])
    assert digest(input="x", timeout=5) == digest(input="x", extra_headers={"a": "b"})
    assert len(digest(input="the plans \ud800")) == 64


def test_a_fingerprint_differs_where_anything_that_is_sent_does() -> None:
    digests = {
        digest(input="x"),
        digest(input="y"),
        digest(input="x", tools=[]),
        digest(input=b"x"),
        fingerprint("batch", "model", {"input": "x"}),
        fingerprint("interaction", "other", {"input": "x"}),
    }
    assert len(digests) == 6
    with pytest.raises(ValueError, match="object"):
        digest(input=object())


def test_a_video_is_asked_for_as_sdk_2_does() -> None:
    config = {
        "aspect_ratio": "16:9",
        "number_of_videos": 2,
        "negativePrompt": "rain",
        "last_frame": {"image_bytes": b"png", "mime_type": "image/png"},
        "image": Image(image_bytes=b"jpg", mime_type="image/jpeg"),
        "resolution": None,
        "http_options": {"timeout": 5},
    }
    jpg, png = (base64.b64encode(each).decode() for each in (b"jpg", b"png"))
    assert video_body("Waves", config, {"user_metadata": {"team": "blue"}}) == {
        "instances": [
            {
                "prompt": "Waves",
                "image": {"bytesBase64Encoded": jpg, "mimeType": "image/jpeg"},
                "lastFrame": {"bytesBase64Encoded": png, "mimeType": "image/png"},
            }
        ],
        "parameters": {"aspectRatio": "16:9", "sampleCount": 2, "negativePrompt": "rain"},
        "webhookConfig": {"user_metadata": {"team": "blue"}},
    }
    known = GenerateVideosConfig.model_fields
    assert {"aspect_ratio", "number_of_videos", "last_frame", "reference_images"} <= known.keys()
    assert video_body(None, {}, {}) == {"instances": [{}]}
