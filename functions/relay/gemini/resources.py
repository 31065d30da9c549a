"""The paths of jobs and files in Gemini's API.

Names come from documents and events, so each is checked before it becomes a path that the API key
is sent to.
"""

from relay.gemini.api import segment
from relay.jobs.names import BATCH, INTERACTION, VIDEO, normal, uri_file

_DOTS = frozenset({"", ".", ".."})


def job_path(kind: str, name: str) -> str:
    """Return the path of a job; raises `ValueError` for what cannot be its name.

    Videos are started at `/v1beta`, and found there alone.
    """
    parts = [name] if kind == INTERACTION else normal(kind, name).split("/")
    if not _DOTS.intersection(parts):
        match kind, parts:
            case _, [identifier] if kind == INTERACTION:
                return f"/v1/interactions/{segment(identifier)}"
            case _, ["batches", identifier] if kind == BATCH:
                return f"/v1/batches/{segment(identifier)}"
            case _, ["models", model, "operations", operation] if kind == VIDEO:
                return f"/v1beta/models/{segment(model)}/operations/{segment(operation)}"
    raise ValueError("not a name of a job")


def file_path(name: str) -> str:
    """Return the path at which a file's content is, with the query `alt=media`.

    Raises `ValueError` for what is not `files/…`.
    """
    if not name or uri_file(name) != name:
        raise ValueError("not a name of a file")
    return f"/v1beta/files/{segment(name.removeprefix('files/'))}:download"
