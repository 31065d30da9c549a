"""What a Terraform run is doing, told in a few lines instead of its hundreds."""

import re

_PLAN = re.compile(r"Plan: (\d+) to add, (\d+) to change, (\d+) to destroy\.")
_DONE = re.compile(r".*: (Creation|Modifications|Destruction) complete")
_COMPLETE = re.compile(r"(Apply|Destroy) complete! Resources: (?:(\d+) added, )?.*?(\d+) destroyed")
_PLANNING = re.compile(r".*: (Reading|Refreshing state)\.\.\.")
_PROBLEM = re.compile(r"Error|Warning")
_STEPS = 4


class Phases:
    """Reads Terraform's lines, in the order of its runs, and tells each phase once."""

    def __init__(self) -> None:
        self._phase = ""
        self._total = 0
        self._done = 0

    def read(self, line: str) -> str | None:
        """Return what to show for a line: a phase, a quarter of its resources, or a problem."""
        if line.startswith("Initializing"):
            return self._enter("fetching the providers")
        if found := _PLAN.match(line):
            return self._begin(*map(int, found.groups()))
        if _DONE.match(line):
            return self._count()
        if line.startswith("No changes."):
            return self._enter("no changes")
        if _COMPLETE.match(line):
            return self._enter(line)
        if _PROBLEM.match(line):
            return line
        # Data sources are also read while resources are created.
        return self._enter("planning") if _PLANNING.match(line) and not self._busy else None

    @property
    def _busy(self) -> bool:
        return self._done < self._total

    def _enter(self, phase: str) -> str | None:
        if phase == self._phase:
            return None
        self._phase = phase
        return phase

    def _begin(self, add: int, change: int, destroy: int) -> str | None:
        self._total, self._done = add + change + destroy, 0
        kinds = {"creating": add, "changing": change, "destroying": destroy}
        return self._enter(
            ", ".join(f"{kind} {count} resources" for kind, count in kinds.items() if count)
        )

    def _count(self) -> str | None:
        self._done += 1
        before, now = (
            (each * _STEPS) // max(self._total, 1) for each in (self._done - 1, self._done)
        )
        return f"{self._done} of {self._total} done" if now > before else None


def added(output: str) -> int:
    """Return how many resources an apply has added, by Terraform's own count."""
    found = _COMPLETE.search(output)
    return int(found.group(2) or 0) if found else 0
