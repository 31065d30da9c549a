"""The account of one run."""

from dataclasses import asdict, dataclass


@dataclass
class Report:
    """What a run has done, in jobs.

    `examined` were looked at, `failed` of these taught nothing. `ended` are the ends found;
    `announced` and `absorbed` the ends and actions that were published, and those that were found
    in the ledger of deliveries. `overdue` and `lost` were published. `left` are the due jobs that
    were not looked at.
    """

    examined: int = 0
    ended: int = 0
    announced: int = 0
    absorbed: int = 0
    overdue: int = 0
    lost: int = 0
    failed: int = 0
    left: int = 0

    def body(self) -> dict[str, int]:
        """Return it as JSON."""
        return asdict(self)
