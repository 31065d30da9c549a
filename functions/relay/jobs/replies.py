"""What Gemini's API says of a job that is looked up, read from its JSON; what is missing is empty.

https://ai.google.dev/api/batch-api, https://ai.google.dev/api/interactions-api,
https://ai.google.dev/gemini-api/docs/video
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from relay.jobs import states
from relay.jobs.names import BATCH, VIDEO, uri_file

GENERATED = "generated"
FILTERED = "filtered"
"""The error code of a video that Gemini's safety filters kept back."""

_UNKNOWN = "unknown"
_RUNNING = "running"

Reply = Mapping[str, object]


@dataclass(frozen=True)
class Seen:
    """A job as the API shows it.

    `status` is in normal form, empty if the reply has none; `outcome` is None while the job goes
    on. `error` holds `code` and `message` of one that failed. `files` are the names of its result
    files, `files/…`: a video's, or the one of a batch that read a file. `uris` are a video's.
    """

    status: str
    outcome: str | None = None
    error: Mapping[str, str] | None = None
    files: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


def read(kind: str, reply: Reply) -> Seen:
    """Read a reply about a job of that kind."""
    if kind == BATCH:
        return _batch(reply)
    return _video(reply) if kind == VIDEO else _interaction(reply)


def _interaction(reply: Reply) -> Seen:
    status = _text(reply, "status").lower()
    errors = reply.get("errors")
    found = errors[0] if isinstance(errors, list) and errors else reply.get("error")
    return _seen("interaction", status, _error(found))


def _batch(reply: Reply) -> Seen:
    metadata = _object(reply, "metadata")
    status = states.normal_status(_text(metadata, "state") or _text(reply, "state"))
    output = _object(metadata, "output") or _object(reply, "response")
    if reply.get("done") is True and states.outcome(BATCH, status) is None:
        # The operation has ended, whatever its metadata still say.
        status = states.FAILED if _object(reply, "error") else states.SUCCEEDED
    return _seen(BATCH, status, _error(reply.get("error")), _files([output.get("responsesFile")]))


def _video(reply: Reply) -> Seen:
    if reply.get("error"):
        return _seen(VIDEO, states.FAILED, _error(reply["error"]))
    if reply.get("done") is not True:
        return Seen(_RUNNING)
    response = _object(_object(reply, "response"), "generateVideoResponse")
    uris = [uri for sample in _objects(response, "generatedSamples") if (uri := _uri(sample))]
    if uris:
        return _seen(VIDEO, GENERATED, None, _files(uris), uris)
    return _seen(VIDEO, states.FAILED, _no_video(response))


def _no_video(response: Reply) -> Mapping[str, str]:
    reasons = response.get("raiMediaFilteredReasons")
    if isinstance(reasons, list) and reasons:
        return {"code": FILTERED, "message": str(reasons[0])}
    if response.get("raiMediaFilteredCount"):
        return {"code": FILTERED, "message": "Gemini's filters kept the video back."}
    return {"code": _UNKNOWN, "message": "The operation is done and has no video."}


def _uri(sample: Reply) -> str:
    return _text(_object(sample, "video"), "uri")


def _seen(
    kind: str,
    status: str,
    error: Mapping[str, str] | None,
    files: Iterable[str] = (),
    uris: Iterable[str] = (),
) -> Seen:
    outcome = states.outcome(kind, status)
    failed = outcome not in {None, states.SUCCEEDED}
    return Seen(status, outcome, error if failed else None, tuple(files), tuple(uris))


def _files(uris: Iterable[object]) -> Iterator[str]:
    return (file for uri in uris if (file := uri_file(uri)))


def _error(found: object) -> Mapping[str, str] | None:
    if not isinstance(found, Mapping):
        return None
    code = found.get("status") or found.get("code")
    return {"code": str(code or _UNKNOWN), "message": str(found.get("message") or "")}


def _text(reply: Reply, name: str) -> str:
    value = reply.get(name)
    return value if isinstance(value, str) else ""


def _object(reply: Reply, name: str) -> Reply:
    value = reply.get(name)
    return value if isinstance(value, Mapping) else {}


def _objects(reply: Reply, name: str) -> Iterator[Reply]:
    value = reply.get(name)
    return (
        (each for each in value if isinstance(each, Mapping))
        if isinstance(value, list)
        else iter(())
    )
