"""The receiver's refusals, as Cloud Logging has them: counts by reason.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hooks.errors import HooksError
from hooks.google_apis import GoogleApis

MESSAGE = "delivery refused"
"""The receiver's constant message, in `relay.receiver.refusals`."""

_MOST_PAGES = 10
_PAGE = 1000


async def refusals(apis: GoogleApis, project: str, since: datetime) -> Mapping[str, int]:
    """Return how many deliveries the receiver has refused since a time in UTC, by reason.

    Ten thousand log lines are read at most, each of which may count many refusals. Raises
    `HooksError`.
    """
    counts: Counter[str] = Counter()
    request: dict[str, Any] = {
        "resourceNames": [f"projects/{project}"],
        "filter": f'jsonPayload.message="{MESSAGE}" AND timestamp>="{since.isoformat()}"',
        "orderBy": "timestamp desc",
        "pageSize": _PAGE,
    }
    for _ in range(_MOST_PAGES):
        page = await apis("POST", "logging", "v2/entries:list", request)
        if not page.ok:
            raise HooksError(f"Cloud Logging answered {page.status}: {page.reason}")
        for entry in page.document.get("entries", ()):
            told = entry.get("jsonPayload", {})
            counts[str(told.get("reason"))] += int(told.get("count", 1))
        if not page.document.get("nextPageToken"):
            break
        request["pageToken"] = page.document["nextPageToken"]
    return counts
