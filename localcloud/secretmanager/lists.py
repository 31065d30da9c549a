"""Lists, newest first, in pages, and out of date by a chosen lag.

Secret Manager's lists are only eventually consistent, and so is `latest`, while a version is
readable by its number at once: https://cloud.google.com/secret-manager/docs/reference/consistency
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from localcloud.core.statuses import invalid, unimplemented
from localcloud.secretmanager.messages import Secret, SecretVersion
from localcloud.secretmanager.store import Store, Stored
from localcloud.secretmanager.versions import STATE_NAMES

MAX_PAGE = 25_000

T = TypeVar("T")

_STATE = re.compile(rf"state:({'|'.join(STATE_NAMES.values())})")


def secrets(stored: Iterable[Stored], request: Any) -> list[tuple[int, Secret]]:
    """Return secrets with their serial numbers; a filter is not imitated."""
    if request.filter:
        raise unimplemented("Secret Manager", f"the filter [{request.filter[:256]}] of secrets")
    return [(each.serial, each.message) for each in stored]


def versions(
    store: Store, stored: Stored, request: Any, lag: float
) -> list[tuple[int, SecretVersion]]:
    """Return the versions as they were `lag` seconds ago, with their numbers.

    Of the filters, `state:` with one state alone is imitated:
    https://cloud.google.com/secret-manager/docs/filtering
    """
    wanted = _STATE.fullmatch(request.filter)
    if request.filter and not wanted:
        raise unimplemented("Secret Manager", f"the filter [{request.filter[:256]}] of versions")
    seen_at = store.now() - int(lag * 1_000_000)
    newest_first = [stored.versions[number] for number in sorted(stored.versions, reverse=True)]
    seen = ((each.number, each.as_of(seen_at)) for each in newest_first)
    return [
        (number, message)
        for number, message in seen
        if message is not None and (not wanted or STATE_NAMES[message.state] == wanted[1])
    ]


def page(numbered: Sequence[tuple[int, T]], request: Any) -> tuple[list[T], str]:
    """Return a page of what is numbered in falling order, and the token of the next.

    A token is the number of the last item shown, so that what is added meanwhile shifts nothing.
    """
    if request.page_size < 0:
        raise invalid("page_size cannot be negative.")
    if request.page_token and not request.page_token.isdecimal():
        raise invalid("page_token is not one that a list has returned.")
    below = int(request.page_token) if request.page_token else None
    rest = [each for each in numbered if below is None or each[0] < below]
    size = min(request.page_size or MAX_PAGE, MAX_PAGE)
    token = str(rest[size - 1][0]) if len(rest) > size else ""
    return [item for _, item in rest[:size]], token
