"""The findings of `hooks doctor`: one for each check, with its remedy."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    `detail` is what was seen. `remedy` says what to do if the check failed, else it is empty. A
    check is skipped if one that it depends on failed.
    """

    check: str
    status: Status
    detail: str
    remedy: str = ""


def passed(check: str, detail: str) -> Finding:
    """Return the finding of a check that holds."""
    return Finding(check, "ok", detail)


def failed(check: str, detail: str, remedy: str) -> Finding:
    """Return the finding of a check that does not hold."""
    return Finding(check, "failed", detail, remedy)


def skipped(check: str, detail: str) -> Finding:
    """Return the finding of a check that could not be made yet."""
    return Finding(check, "skipped", detail)
