"""Gemini's own word for the state of a job."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx2

from hooks.deployment import Deployment
from hooks.errors import HooksError
from localcloud.laptop.webhook import API_KEY

_GEMINI = "https://generativelanguage.googleapis.com"


async def job_state(
    deployment: Deployment, wanted: str, environ: Mapping[str, str], http: httpx2.AsyncClient
) -> str:
    """Return the state of a batch or an interaction, empty where Gemini knows none of that id.

    Without a key (`GEMINI_API_KEY`) nobody is asked. Raises `HooksError` if Gemini refuses.
    """
    key = API_KEY if deployment.local else environ.get("GEMINI_API_KEY", "")
    if not key:
        return ""
    base = deployment.gemini_url or environ.get("GOOGLE_GEMINI_BASE_URL") or _GEMINI
    for path in _paths(wanted):
        try:
            answer = await http.get(f"{base}/{path}", headers={"x-goog-api-key": key})
            document = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise HooksError(f"Gemini gave no usable answer ({type(error).__name__})") from None
        if answer.status_code == httpx2.codes.OK:
            return _state(document)
        if answer.status_code not in (httpx2.codes.NOT_FOUND, httpx2.codes.BAD_REQUEST):
            raise HooksError(f"Gemini answered {answer.status_code}")
    return ""


def _paths(wanted: str) -> Iterator[str]:
    # An event's id of a batch and the API's may differ in form.
    bare = wanted.removeprefix("batches/").removeprefix("batch_")
    if wanted.startswith(("batches/", "batch_")):
        yield f"v1beta/batches/{quote(bare, safe='')}"
        return
    yield f"v1/interactions/{quote(wanted, safe='')}"
    yield f"v1beta/batches/{quote(wanted, safe='')}"


def _state(document: Any) -> str:
    if not isinstance(document, Mapping):
        return ""
    metadata = document.get("metadata")
    state = metadata.get("state") if isinstance(metadata, Mapping) else document.get("status")
    return state if isinstance(state, str) else ""
