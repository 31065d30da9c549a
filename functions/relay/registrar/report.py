"""What the registrar answers: the webhook as it is, and whether it is as desired."""

from dataclasses import asdict, dataclass
from typing import Any

ABSENT = "absent"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Report:
    """The webhook at Gemini.

    `state` is Gemini's, `absent`, or `unknown` when Gemini did not say. `generation` is the newest
    desired state that was reached, empty if none was. `changed` says whether this very request
    changed something. `reason` says why it is not in sync.
    """

    id: str
    uri: str
    events: tuple[str, ...]
    state: str
    in_sync: bool
    generation: str
    changed: bool = False
    reason: str = ""

    def body(self) -> dict[str, Any]:
        """Return it as JSON; the reason only where there is one."""
        fields = asdict(self) | {"events": list(self.events)}
        return {name: value for name, value in fields.items() if name != "reason" or value}
