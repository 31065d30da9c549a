"""Interactions: started, answered, cancelled, deleted, and ended by control or on the clock."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.core.clock import Clock
from localcloud.gemini.errors import GoogleError, not_found
from localcloud.gemini.ids import new_id, new_interaction_id
from localcloud.gemini.interaction import ENDED, Interaction, output_step
from localcloud.gemini.jobs import Announce, Fate, Jobs, webhook_config
from localcloud.gemini.settings import Settings

_EVENTS: Mapping[str, str] = {
    "completed": "interaction.completed",
    "failed": "interaction.failed",
    "requires_action": "interaction.requires_action",
    "cancelled": "interaction.cancelled",
}
_STATUS = re.compile(r"[a-z]+(_[a-z]+)*")
_NEW_ENVIRONMENT = "remote"


class Interactions:
    """The interactions of a project. Raises `GoogleError`."""

    def __init__(self, clock: Clock, settings: Settings, announce: Announce) -> None:
        self.jobs: Jobs[Interaction] = Jobs("Interaction", clock, settings)
        self._clock = clock
        self._settings = settings
        self._announce = announce
        self._environments: dict[str, float] = {}

    def create(self, request: Mapping[str, Any]) -> Interaction:
        """Start an interaction; one that is not in the background is over at once."""
        config = webhook_config(request.get("webhook_config"))
        self._check(request)
        now = self._clock.time()
        interaction = Interaction(
            new_interaction_id(), request, config, self._settings, created=now, updated=now
        )
        if interaction.managed:
            interaction.environment_id = self._environment(request.get("environment"))
        created = {"event_type": "interaction.created", "interaction": interaction.summary()}
        interaction.add_frame(created)
        if request.get("store") is not False:
            self.jobs.add(interaction.id, interaction)
        if not interaction.background:
            self._finish(interaction)
        elif not self.jobs.draw_stuck():
            self.jobs.later(self._settings.job_seconds, lambda: self._finish(interaction))
        return interaction

    def find(self, identifier: str) -> Interaction:
        """Return an interaction by its id."""
        interaction, now = self.jobs.find(identifier), self._clock.time()
        if now >= interaction.created + self._settings.interaction_seconds:
            raise not_found("Interaction", identifier)
        return interaction

    def look_up(self, identifier: str) -> Interaction:
        """Return an interaction as a lookup does, which may not know a new one yet."""
        interaction, now = self.find(identifier), self._clock.time()
        lag = self._settings.lookup_lag_seconds if interaction.background else 0.0
        if now < interaction.created + lag:
            raise not_found("Interaction", identifier)
        return interaction

    def cancel(self, identifier: str) -> Interaction:
        """Cancel one that runs in the background; looking it up may lag."""
        interaction = self.find(identifier)
        if interaction.request.get("agent") and not self._settings.agents_can_be_cancelled:
            raise GoogleError(404, "Method not found.", form="list")
        if not interaction.background:
            raise GoogleError(400, "Only an interaction in the background can be cancelled.")
        self.advance(interaction, "cancelled")
        interaction.hidden_until = self._clock.time() + self._settings.cancel_lag_seconds
        return interaction

    def advance(
        self,
        interaction: Interaction,
        status: str,
        *,
        error: Mapping[str, str] | None = None,
        steps: Sequence[Mapping[str, Any]] = (),
        fate: Fate | None = None,
    ) -> None:
        """Take an interaction to another state, and announce it where that state has an event.

        The state may be one that nobody has heard of.
        """
        if not _STATUS.fullmatch(status):
            raise GoogleError(400, "status must be lower-case words joined by underscores.")
        if status == "failed":
            error = error or {"code": "INTERNAL", "message": "The interaction failed."}
        interaction.advance(status, self._clock.time(), error=error, steps=steps)
        if interaction.background:
            self._tell(interaction, fate)

    def _finish(self, interaction: Interaction) -> None:
        if interaction.status not in ENDED:
            self.advance(interaction, "completed", steps=[output_step("Done.")])

    def _tell(self, interaction: Interaction, fate: Fate | None) -> None:
        event = _EVENTS.get(interaction.status)
        silent = event == "interaction.cancelled" and not self._settings.announce_cancellations
        if event is None or silent:
            return
        data = {"id": interaction.id}
        if interaction.error:
            code, message = interaction.error["code"], interaction.error["message"]
            data |= {"error_code": code, "error_message": message}
        self._announce(event, data, interaction.config, fate)

    def _environment(self, wanted: object) -> str:
        # Only a request that says something of its environment is told the environment's id.
        if wanted is None:
            return ""
        named = wanted.get("environment_id") if isinstance(wanted, dict) else wanted
        if not isinstance(named, str | None):
            raise GoogleError(400, "environment must be a string or an object.")
        identifier = f"env_{new_id(24)}" if named in {None, "", _NEW_ENVIRONMENT} else str(named)
        now = self._clock.time()
        if now >= self._environments.setdefault(
            identifier, now + self._settings.environment_seconds
        ):
            raise not_found("Environment", identifier)
        return identifier

    def _check(self, request: Mapping[str, Any]) -> None:
        if not request.get("model") and not request.get("agent"):
            raise GoogleError(400, "Either model or agent is required.")
        if "input" not in request:
            raise GoogleError(400, "input is required.")
        background = request.get("background") is True
        if request.get("webhook_config") is not None and not background:
            raise GoogleError(400, "webhook_config requires background: true.")
        if background and request.get("store") is False:
            raise GoogleError(400, "background requires store: true.")
        results = _results(request["input"])
        previous = request.get("previous_interaction_id")
        if previous is not None:
            self._check_previous(str(previous), request, results)
        elif results:
            raise GoogleError(400, "A function_result needs previous_interaction_id.")

    def _check_previous(
        self, identifier: str, request: Mapping[str, Any], results: set[str]
    ) -> None:
        try:
            previous = self.find(identifier)
        except GoogleError:
            raise not_found("Previous interaction", identifier) from None
        if previous.status in {"queued", "in_progress"}:
            raise GoogleError(400, f"Interaction {identifier} is still {previous.status}.")
        if results and results != previous.open_calls():
            wanted = ", ".join(sorted(previous.open_calls())) or "none"
            raise GoogleError(400, f"The function calls to be answered are: {wanted}.")
        if not previous.managed:
            return
        if previous.status not in {"completed", "requires_action"}:
            raise GoogleError(400, f"Interaction {identifier} is {previous.status}.")
        if not request.get("environment"):
            raise GoogleError(400, "environment is required to go on with a managed agent.")


def _results(given: object) -> set[str]:
    """Return the calls that an input answers."""
    entries = given if isinstance(given, list) else [given]
    found = set()
    for entry in entries:
        match entry:
            case {"type": "function_result", "call_id": str(call), "result": _}:
                found.add(call)
            case {"type": "function_result"}:
                raise GoogleError(400, "A function_result needs call_id and result.")
    return found
