"""The names of jobs: Gemini's in every form that is seen of them, and our own.

Gemini writes one name in several forms: an event says `batch_123`, the API `batches/123`. Every
form is brought to one, the normal form, before it is hashed or compared. An interaction's id is its
own normal form, and its case counts.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping

INTERACTION = "interaction"
BATCH = "batch"
VIDEO = "video"
KINDS = frozenset({INTERACTION, BATCH, VIDEO})

RELAY_JOB = "relay_job"
"""The entry of `user_metadata` that identifies a job of ours: `<id>.<token>`."""

SHARDS = 16

_BATCHES, _FILES, _OPERATIONS = "batches/", "files/", "/operations/"
_PREFIX = "job_"
_RELAY_JOB = re.compile(r"(job_[0-9a-f]{32})\.(.{1,128})", re.DOTALL)
_ID = re.compile(r"job_[0-9a-f]{32}")
_BATCH_PREFIXES = re.compile(r"(?:batches/|batch_)*")
# A whole URI of the Gemini API, or a file's name as the API writes it.
_FILE_URI = re.compile(
    r"(?:https?://[^/?#]+/(?:[^?#]*/)?)?files/([A-Za-z0-9][A-Za-z0-9._-]*)(?::[A-Za-z]+)?(?:[?#].*)?",
    re.DOTALL,
)


def normal(kind: str, name: str) -> str:
    """Return a name in the form in which it is hashed and compared.

    `batches/x`, `batch_x` and `x` become `batches/x` for a batch; `files/f` and `f` become
    `files/f` for a video, whose operation stays as it is.
    """
    if kind == BATCH and not name.startswith(_FILES):
        return _BATCHES + _BATCH_PREFIXES.sub("", name, count=1)
    if kind == VIDEO and "/" not in name:
        return _FILES + name
    return name


def forms(kind: str, name: str) -> tuple[str, ...]:
    """Return every form in which an event may write a name, the normal one first.

    These are what the reconciler asks `deliveries` for, whose field `subject` is a name as the
    event writes it. At most four.
    """
    form = normal(kind, name)
    if kind == BATCH and form.startswith(_BATCHES):
        bare = form.removeprefix(_BATCHES)
        return tuple(dict.fromkeys((form, f"batch_{bare}", bare, name)))
    if kind == VIDEO and form.startswith(_FILES):
        return form, form.removeprefix(_FILES)
    return (form,)


def contradict(kind: str, one: str, other: str) -> bool:
    """Tell whether two names cannot belong to one job of this kind.

    A video's operation and its file are two names of one job, so only like forms are compared.
    """
    one, other = normal(kind, one), normal(kind, other)
    return _form(kind, one) == _form(kind, other) and one != other


def document_id(kind: str, name: str) -> str:
    """Return the id of the document in `job_names` that knows a job by this name."""
    text = f"{kind}\n{normal(kind, name)}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def event_kind(event_type: str) -> str:
    """Return the kind of job that an event is about: its type's first part, or empty."""
    kind = event_type.partition(".")[0]
    return kind if kind in KINDS else ""


def event_subject(data: Mapping[str, object]) -> str:
    """Return the subject of an event, from its `data`; empty where nothing names one.

    It is `id`, else `file_id`, else `file_name`, else the file in `video_uri`.
    """
    for field in ("id", "file_id", "file_name"):
        value = data.get(field)
        if isinstance(value, str) and value:
            return value
    return uri_file(data.get("video_uri"))


def event_name(data: Mapping[str, object]) -> str:
    """Return the name of the job that an event is about: its subject, else its output's file."""
    return event_subject(data) or uri_file(data.get("output_file_uri"))


def uri_file(uri: object) -> str:
    """Return the file of the Gemini API that a URI names, as `files/…`; else empty.

    `https://…/v1beta/files/f:download?alt=media` is `files/f`; `gs://…` names none.
    """
    found = _FILE_URI.fullmatch(uri) if isinstance(uri, str) else None
    return _FILES + found[1] if found else ""


def key_id(key: str) -> str:
    """Return the id of the job that is started under an idempotency key."""
    return _hashed(key)


def adopted_id(name: str) -> str:
    """Return the id of a batch that was started elsewhere and is followed here."""
    return _hashed(f"{BATCH}\n{normal(BATCH, name)}")


def random_id() -> str:
    """Return the id of a job that is started without a key."""
    return _PREFIX + secrets.token_hex(16)


def new_token() -> str:
    """Return a token: what proves that an event which names a job was caused by whoever started it.

    Gemini signs the events of a dynamic webhook alike for every customer, and the id of a job with
    a guessable key is guessable.
    """
    return secrets.token_urlsafe(24)


def is_id(text: str) -> bool:
    """Tell whether a text has the form of a job's id: `job_` and 32 hexadecimal digits."""
    return bool(_ID.fullmatch(text))


def shard(job: str) -> int:
    """Return which of the 16 shards a job's id falls into, for queries over many jobs."""
    return int(job.removeprefix(_PREFIX)[0], SHARDS)


def relay_job(job: str, token: str) -> str:
    """Return the value of `user_metadata.relay_job` for a job."""
    return f"{job}.{token}"


def parse_relay_job(value: object) -> tuple[str, str] | None:
    """Return the id and token in a `relay_job`; None for what is not worth looking up."""
    found = _RELAY_JOB.fullmatch(value) if isinstance(value, str) else None
    return (found[1], found[2]) if found else None


def same_token(one: str, other: str) -> bool:
    """Compare two tokens in constant time; an empty one equals none."""
    given = (text.encode("utf-8", "replace") for text in (one, other))
    return bool(one) and hmac.compare_digest(*given)


def _hashed(text: str) -> str:
    return _PREFIX + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _form(kind: str, form: str) -> str:
    if form.startswith(_FILES):
        return _FILES
    return _OPERATIONS if kind == VIDEO else kind
