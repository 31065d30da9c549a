"""Interactions: started, answered, cancelled, deleted, and ended by control or on the clock."""

from collections.abc import Mapping
from typing import Any

from localcloud.core.clock import Clock
from localcloud.gemini.errors import GoogleError, not_found
from localcloud.gemini.ids import new_id
from localcloud.gemini.interaction import ENDED, STATUSES, Interaction, Status
from localcloud.gemini.jobs import Announce, Jobs, webhook_config
from localcloud.gemini.settings import Settings

_EVENTS: Mapping[Status, str] = {
    "completed": "interaction.completed",
    "failed": "interaction.failed",
    "requires_action": "interaction.requires_action",
    "cancelled": "interaction.cancelled",
}


class Interactions:
    """The interactions of a project. Raises `GoogleError`."""

    def __init__(self, clock: Clock, settings: Settings, announce: Announce) -> None:
        self.jobs: Jobs[Interaction] = Jobs("Interaction", clock, settings)
        self._clock = clock
        self._settings = settings
        self._announce = announce

    def create(self, request: Mapping[str, Any]) -> Interaction:
        """Start an interaction; one that is not in the background is over at once."""
        config = webhook_config(request.get("webhook_config"))
        self._check(request)
        now = self._clock.time()
        interaction = Interaction(f"v1_{new_id(24)}", request, config, now, now)
        created = {"event_type": "interaction.created", "interaction": interaction.summary()}
        interaction.add_frame(created)
        if request.get("store") is not False:
            self.jobs.add(interaction.id, interaction)
        if interaction.background:
            self.jobs.later(self._settings.job_seconds, lambda: self._finish(interaction))
        else:
            self._finish(interaction)
        return interaction

    def find(self, identifier: str) -> Interaction:
        """Return an interaction by its id."""
        return self.jobs.find(identifier)

    def cancel(self, identifier: str) -> Interaction:
        """Cancel one that runs in the background; looking it up may lag."""
        interaction = self.find(identifier)
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
        output_text: str = "",
    ) -> None:
        """Take an interaction to another state, and announce it where that state has an event."""
        known = next((each for each in STATUSES if each == status), None)
        if known is None:
            raise GoogleError(400, f"status must be one of {', '.join(STATUSES)}.")
        if known == "failed":
            error = error or {"code": "INTERNAL", "message": "The interaction failed."}
        if interaction.status not in ENDED:
            interaction.error, interaction.output_text = error, output_text
        interaction.advance(known, self._clock.time())
        if interaction.background:
            self._tell(interaction)

    def _finish(self, interaction: Interaction) -> None:
        if interaction.status not in ENDED:
            self.advance(interaction, "completed", output_text="Done.")

    def _tell(self, interaction: Interaction) -> None:
        event = _EVENTS.get(interaction.status)
        silent = event == "interaction.cancelled" and not self._settings.announce_cancellations
        if event is None or silent:
            return
        data = {"id": interaction.id}
        if interaction.error:
            code, message = interaction.error["code"], interaction.error["message"]
            data |= {"error_code": code, "error_message": message}
        self._announce(event, data, interaction.config)

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
        previous = request.get("previous_interaction_id")
        if previous is not None:
            self._check_previous(str(previous), request)

    def _check_previous(self, identifier: str, request: Mapping[str, Any]) -> None:
        try:
            previous = self.find(identifier)
        except GoogleError:
            raise not_found("Previous interaction", identifier) from None
        if previous.status in {"queued", "in_progress"}:
            raise GoogleError(400, f"Interaction {identifier} is still {previous.status}.")
        if not previous.agent.startswith(self._settings.managed_agent_prefixes):
            return
        if previous.status not in {"completed", "requires_action"}:
            raise GoogleError(400, f"Interaction {identifier} is {previous.status}.")
        if not request.get("environment"):
            raise GoogleError(400, "environment is required to go on with a managed agent.")
