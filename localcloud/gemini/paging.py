"""Pages of a list whose entries are numbered in the order of the list."""

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TypeVar

from localcloud.gemini.errors import GoogleError

_DEFAULT = 50
_LARGEST = 1000

Entry = TypeVar("Entry")


def page(
    entries: Iterable[Entry], number: Callable[[Entry], int], size: int | None, token: str
) -> tuple[list[Entry], str]:
    """Return a page of entries with rising numbers, and the token of the next page, or nothing.

    A page has 50 entries unless asked, 1,000 at most. A token holds the last number shown, so that
    a deletion between pages skips nothing. Raises `GoogleError` for a foreign token.
    """
    if size is not None and size < 0:
        raise GoogleError(400, "page_size must not be negative.")
    limit = min(size or _DEFAULT, _LARGEST)
    last = _number(token) if token else None
    rest = [entry for entry in entries if last is None or number(entry) > last]
    following = _token(number(rest[limit - 1])) if len(rest) > limit else ""
    return rest[:limit], following


def page_size(text: str) -> int | None:
    """Read the parameter of a query; nothing is None."""
    try:
        return int(text) if text else None
    except ValueError:
        raise GoogleError(400, f"Invalid value at 'page_size': {text!r}.") from None


def _token(number: int) -> str:
    return base64.urlsafe_b64encode(str(number).encode()).decode()


def _number(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error):
        raise GoogleError(400, "Invalid page_token.") from None
