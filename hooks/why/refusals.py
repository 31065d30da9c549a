"""The receiver's refusals, as Cloud Logging has them: counts by reason.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx2

from hooks.errors import HooksError

ENTRIES = "https://logging.googleapis.com/v2/entries:list"
MESSAGE = "delivery refused"
"""The receiver's constant message, in `relay.receiver.refusals`."""

_MOST_PAGES = 10
_PAGE = 1000


async def refusals(
    client: httpx2.AsyncClient, token: str, project: str, since: datetime
) -> Mapping[str, int]:
    """Return how many deliveries the receiver has refused since a time in UTC, by reason.

    `token` is an access token that may read the project's logs. Ten thousand log lines are
    read at most, each of which may count many refusals. Raises `HooksError`.
    """
    counts: Counter[str] = Counter()
    request: dict[str, Any] = {
        "resourceNames": [f"projects/{project}"],
        "filter": f'jsonPayload.message="{MESSAGE}" AND timestamp>="{since.isoformat()}"',
        "orderBy": "timestamp desc",
        "pageSize": _PAGE,
    }
    for _ in range(_MOST_PAGES):
        page = await _page(client, token, request)
        for entry in page.get("entries", ()):
            told = entry.get("jsonPayload", {})
            counts[str(told.get("reason"))] += int(told.get("count", 1))
        if not page.get("nextPageToken"):
            break
        request["pageToken"] = page["nextPageToken"]
    return counts


async def _page(
    client: httpx2.AsyncClient, token: str, request: Mapping[str, Any]
) -> Mapping[str, Any]:
    headers = {"authorization": f"Bearer {token}"}
    try:
        answer = await client.post(ENTRIES, json=request, headers=headers)
        document = answer.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise HooksError(f"Cloud Logging gave no answer ({type(error).__name__})") from None
    if answer.status_code != httpx2.codes.OK:
        reason = document.get("error", {}).get("message", "") if isinstance(document, dict) else ""
        raise HooksError(f"Cloud Logging answered {answer.status_code}: {reason}".rstrip(": "))
    if not isinstance(document, Mapping):
        raise HooksError("Cloud Logging gave no usable answer")
    return document
