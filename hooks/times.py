"""Points in time as the command line states them."""

from datetime import datetime, timedelta
from re import fullmatch

from hooks.errors import UsageError

_END = 253_402_214_400
"""The last day that a date can have, in Unix seconds: 9999-12-31."""
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_time(text: str, now: float, *, option: str) -> int:
    """Return Unix seconds for RFC 3339, Unix seconds, or an offset from `now` such as -10m or +1h.

    Raises `UsageError`, which names the `option`.
    """
    seconds = _seconds(text, now, option)
    if not 0 <= seconds < _END:
        raise UsageError(f"{option} {text!r} is out of range; give a time from 1970 to 9999")
    return seconds


def _seconds(text: str, now: float, option: str) -> int:
    if relative := fullmatch(r"([+-])([0-9]{1,9})([smhd])", text):
        sign, number, unit = relative.groups()
        offset = timedelta(**{_UNITS[unit]: int(number)}).total_seconds()
        return int(now + offset if sign == "+" else now - offset)
    if fullmatch(r"[0-9]{1,12}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(
            f"{option} {text!r} is not a time; try 2026-01-22T12:00:00Z, 1769083200 or -10m"
        )
    return int(moment.timestamp())
