"""Read-only: the webhook as it is, and whether the desired state has been reached."""

import asyncio
from dataclasses import dataclass

from relay.errors import Unavailable
from relay.gcp.store import Store
from relay.gemini.webhooks import GeminiWebhooks, Webhook
from relay.registrar.lease import Pause, remembered
from relay.registrar.ours import ours
from relay.registrar.plan import alike, differences
from relay.registrar.problems import FAILURES
from relay.registrar.report import ABSENT, UNKNOWN, Report
from relay.registrar.settings import Settings
from relay.registrar.state import State
from relay.registrar.vault import Vault

_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Observer:
    """Reads Gemini, Secret Manager and the registrar's state; writes nothing."""

    settings: Settings
    gemini: GeminiWebhooks
    vault: Vault
    store: Store
    pause: Pause = asyncio.sleep

    async def look(self) -> Report:
        """Return the webhook as it is now. Raises `problems.FAILURES`."""
        state = await remembered(self.store)
        webhooks = await self.gemini.all()
        webhook = await ours(self.gemini, webhooks, state.webhook_id, self.settings.uri)
        doubles = bool(webhook and alike(webhooks, self.settings.uri, but=webhook.id))
        reason = await self._reason(state, webhook, doubles=doubles)
        return self._report(state, webhook, reason)

    async def wait(self, generation: str, seconds: float) -> Report:
        """Return once that generation has been reached, or with the reason after `seconds`.

        Raises nothing: a failure becomes the reason.
        """
        end = asyncio.get_running_loop().time() + seconds
        state, failure = await self._remembered()
        while state.generation != generation and asyncio.get_running_loop().time() < end:
            await self.pause(_PAUSE_SECONDS)
            state, failure = await self._remembered()
        if not failure and state.generation == generation:
            return await self._looked(state)
        return self._unreached(state, failure or self._why(state, generation))

    async def _remembered(self) -> tuple[State, str]:
        try:
            return await remembered(self.store), ""
        except Unavailable as failure:
            return State(), f"Firestore gave no answer ({failure.reason})."

    async def _looked(self, state: State) -> Report:
        try:
            return await self.look()
        except FAILURES as failure:
            return self._unreached(state, failure.reason)

    def _why(self, state: State, generation: str) -> str:
        if state.problem and state.problem_generation == generation:
            return state.problem
        if self.settings.generation != generation:
            return f"This registrar is to reach generation {self.settings.generation!r}."
        return "No converge has finished for this generation yet."

    def _unreached(self, state: State, reason: str) -> Report:
        return Report(
            id=state.webhook_id,
            uri=self.settings.uri,
            events=(),
            state=UNKNOWN,
            in_sync=False,
            generation=state.generation or "",
            reason=reason,
        )

    async def _reason(self, state: State, webhook: Webhook | None, *, doubles: bool) -> str:
        if not self.settings.present:
            return "The webhook is still registered." if webhook else self._lag(state)
        if state.held == self.settings.generation:
            return "The webhook was removed by DELETE; a new generation brings it back."
        if webhook is None:
            return "The webhook is not registered."
        changes = sorted(differences(webhook, self.settings))
        if changes:
            return f"Not as it should be: {', '.join(changes)}."
        if doubles:
            return "There is more than one webhook with this URI."
        if state.lacks_secret(webhook.id):
            return "The signing secret is not stored."
        if not await self.vault.readable(state.secret_version):
            return "The stored signing secret is disabled or destroyed."
        return self._lag(state)

    def _lag(self, state: State) -> str:
        if state.generation == self.settings.generation:
            return ""
        return self._why(state, self.settings.generation)

    def _report(self, state: State, webhook: Webhook | None, reason: str) -> Report:
        return Report(
            id=webhook.id if webhook else "",
            uri=webhook.uri if webhook else self.settings.uri,
            events=tuple(sorted(webhook.events)) if webhook else (),
            state=webhook.state if webhook else ABSENT,
            in_sync=not reason,
            generation=state.generation or "",
            reason=reason,
        )
