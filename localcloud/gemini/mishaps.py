"""What becomes of the webhook of a job: most are sent, some are lost, late or doubled."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from localcloud.gemini.emitter import Emission
from localcloud.gemini.jobs import Fate, WebhookConfig
from localcloud.gemini.settings import Settings


class Announcer:
    """Announces the events of jobs, as the settings' shares or a control call decide."""

    def __init__(self, settings: Settings, emit: Callable[[Emission], object]) -> None:
        self._settings = settings
        self._emit = emit
        self._chance = random.Random(settings.seed)  # noqa: S311 - not a secret

    def __call__(
        self,
        event_type: str,
        data: Mapping[str, Any],
        config: WebhookConfig,
        fate: Fate | None = None,
    ) -> None:
        """Announce an event; without a `fate`, chance decides."""
        fate = fate or self._draw()
        late = self._settings.late_webhook_seconds / self._settings.time_scale
        self._emit(
            Emission(
                event_type=event_type,
                data=data,
                user_metadata=config.user_metadata,
                uris=config.uris,
                times=2 if fate == "doubled" else 1,
                delay_seconds=late if fate == "late" else 0.0,
                lost=fate == "lost",
            )
        )

    def _draw(self) -> Fate:
        settings, drawn = self._settings, self._chance.random()
        shares: tuple[tuple[Fate, float], ...] = (
            ("lost", settings.lost_webhooks),
            ("late", settings.late_webhooks),
            ("doubled", settings.doubled_webhooks),
        )
        for fate, share in shares:
            if drawn < share:
                return fate
            drawn -= share
        return "sent"
