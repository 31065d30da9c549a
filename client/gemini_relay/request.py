"""What a job is started with: the request's digest, its metadata, and a video's body. Pure."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from relay.jobs.names import RELAY_JOB

_NOT_SENT = frozenset({"http_options", "timeout", "extra_headers", "extra_query", "api_version"})
"""Options of the call, which are no part of the request."""

_INSTANCE = ("image", "video", "last_frame", "reference_images")
_RENAMED = {"number_of_videos": "sampleCount"}
_LONGEST_KEY = 512


def fingerprint(kind: str, target: str, request: Mapping[str, Any]) -> str:
    """Return the digest of a request: SHA-256 over its canonical JSON.

    Raises `ValueError` for a value that has no stable form, such as an open file.
    """
    sent = {name: value for name, value in request.items() if name not in _NOT_SENT}
    text = json.dumps([kind, target, sent], sort_keys=True, default=_stable)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def checked_key(key: str | None) -> str | None:
    """Return a key that may be used; raises `ValueError` for one that is empty or too long."""
    if key is not None and not 0 < len(key) <= _LONGEST_KEY:
        raise ValueError(f"key must have 1 to {_LONGEST_KEY} characters")
    return key


def checked_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Return a copy of a job's metadata: texts by name. Raises `ValueError`."""
    given = dict(metadata or {})
    if not all(isinstance(text, str) for text in (*given, *given.values())):
        raise ValueError("metadata's names and values must be strings")
    if RELAY_JOB in given:
        raise ValueError(f"metadata must not have {RELAY_JOB}, by which the relay knows the job")
    return given


def video_body(
    prompt: str | None, config: Mapping[str, Any], webhook_config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the body of `predictLongRunning` as SDK 2.x builds it, which 3.x does not send.

    `config` has the SDK's names (`aspect_ratio`) or the API's (`aspectRatio`).
    https://ai.google.dev/gemini-api/docs/video
    """
    instance: dict[str, Any] = {} if prompt is None else {"prompt": prompt}
    parameters: dict[str, Any] = {}
    for name, value in config.items():
        if name in _NOT_SENT or value is None:
            continue
        place = instance if name in _INSTANCE or _snake(name) in _INSTANCE else parameters
        place[_RENAMED.get(name, _camel(name))] = _media(value)
    body: dict[str, Any] = {"instances": [instance]}
    if parameters:
        body["parameters"] = parameters
    if webhook_config:
        body["webhookConfig"] = dict(webhook_config)
    return body


def _media(value: Any) -> Any:
    """Return an image or a video as the API takes it, and anything else as it is."""
    if isinstance(value, list | tuple):
        return [_media(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "model_dump"):
        value = value.model_dump(exclude_none=True)
    if not isinstance(value, Mapping):
        return value
    named = {_camel(name): _media(each) for name, each in value.items()}
    for given in ("imageBytes", "videoBytes"):
        if given in named:
            content = named.pop(given)
            named["bytesBase64Encoded"] = (
                base64.b64encode(content).decode() if isinstance(content, bytes) else content
            )
    return named


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)


def _stable(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes | bytearray):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | set | frozenset):
        return sorted(value, key=str) if not isinstance(value, tuple) else list(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True, warnings=False)
    raise ValueError(
        f"a request under a key must be comparable, and a {type(value).__name__} is not"
    )
