"""The registrar's work under the lease: converge, rotate, ping, remove.

Every step can be repeated: the next request finishes what an earlier one left undone, and repairs
what it may have done without learning of it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from relay.gcp.store import Store
from relay.gemini.webhooks import GeminiWebhooks, Webhook
from relay.log import log
from relay.registrar.lease import Lease, Now, Pause, give_back, take
from relay.registrar.ours import ours
from relay.registrar.plan import ENABLED, alike, differences
from relay.registrar.problems import FAILURES, Busy, NotRegistered
from relay.registrar.settings import Settings
from relay.registrar.state import AFTER_A_DAY, AT_ONCE, State
from relay.registrar.vault import Vault

BUDGET_SECONDS = 50.0
"""How long a request may act, in seconds: well within its lease."""


class Controller:
    """Makes the webhook as `settings` describe it. Raises `problems.FAILURES`.

    Its methods return whether they changed anything.
    """

    def __init__(
        self,
        settings: Settings,
        gemini: GeminiWebhooks,
        vault: Vault,
        store: Store,
        now: Now,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._gemini = gemini
        self._vault = vault
        self._store = store
        self._now = now
        self._pause = pause

    async def converge(self) -> bool:
        """Make the webhook as it should be; on return the generation has been reached."""
        async with self._lease() as lease:
            if self._settings.present and lease.state.held != self._settings.generation:
                return await self._keep_present(lease)
            return await self._keep_absent(lease)

    async def remove(self) -> bool:
        """Remove the webhook, and keep it absent until the generation changes."""
        async with self._lease() as lease:
            await lease.write(replace(lease.state, held=self._settings.generation))
            return await self._delete_all(lease)

    async def rotate(self, behavior: str, if_older: timedelta) -> bool:
        """Rotate the signing secret unless it is younger than `if_older`."""
        async with self._lease() as lease:
            webhook = await self._registered(lease.state)
            young = self._now() < lease.state.stored_at + if_older
            if young and not lease.state.lacks_secret(webhook.id):
                return False
            await self._renew_secret(lease, webhook.id, behavior)
            await self._retire(lease)
            return True

    async def ping(self) -> None:
        """Have Gemini deliver a test event."""
        async with self._lease() as lease:
            webhook = await self._registered(lease.state)
            if lease.state.lacks_secret(webhook.id):
                raise NotRegistered("The webhook's signing secret is not stored yet: converge.")
            await self._gemini.ping(webhook.id)

    async def _keep_present(self, lease: Lease) -> bool:
        webhooks = await self._gemini.all()
        webhook = await self._ours(webhooks, lease.state)
        if webhook is None:
            webhook = await self._create(lease)
            changed = True
        else:
            changed = await self._keep_secret(lease, webhook.id)
        changed |= await self._amend(webhook)
        changed |= await self._delete(alike(webhooks, self._settings.uri, but=webhook.id))
        changed |= await self._retire(lease)
        lease.state = replace(lease.state, held=None, generation=self._settings.generation)
        await self._ping_if_due(lease, webhook)
        return changed

    async def _keep_absent(self, lease: Lease) -> bool:
        changed = await self._delete_all(lease)
        changed |= await self._retire(lease)
        if not self._settings.present:
            lease.state = replace(lease.state, held=None, generation=self._settings.generation)
        return changed

    async def _ours(self, webhooks: Sequence[Webhook], state: State) -> Webhook | None:
        return await ours(self._gemini, webhooks, state.webhook_id, self._settings.uri)

    async def _create(self, lease: Lease) -> Webhook:
        settings = self._settings
        enabled = await self._vault.enabled()
        await lease.write(lease.state.asking("", AFTER_A_DAY))
        created, secret = await self._gemini.create(settings.name, settings.uri, settings.events)
        log("NOTICE", "webhook created", id=created.id)
        await self._keep(lease, created.id, secret, enabled)
        return created

    async def _keep_secret(self, lease: Lease, webhook_id: str) -> bool:
        state = lease.state
        if not state.lacks_secret(webhook_id):
            if await self._vault.readable(state.secret_version):
                return False
            if await self._vault.enable(state.secret_version):
                log("WARNING", "secret version enabled again", version=state.secret_version)
                return True
        await self._renew_secret(lease, webhook_id, state.pending or AFTER_A_DAY)
        return True

    async def _renew_secret(self, lease: Lease, webhook_id: str, behavior: str) -> None:
        # Also finds out, before a secret is shown, whether Secret Manager can be reached.
        enabled = await self._vault.enabled()
        await lease.write(lease.state.asking(webhook_id, behavior))
        secret = await self._gemini.rotate(webhook_id, lease.state.pending)
        await self._keep(lease, webhook_id, secret, enabled)

    async def _keep(
        self, lease: Lease, webhook_id: str, secret: str, enabled: frozenset[int]
    ) -> None:
        # Even if another request holds the lease by now: the newest secret must be stored.
        version = await self._vault.add(secret)
        log("NOTICE", "signing secret stored", id=webhook_id, version=version)
        await lease.write(lease.state.stored(webhook_id, version, self._now(), enabled))

    async def _amend(self, webhook: Webhook) -> bool:
        wanted = differences(webhook, self._settings)
        if webhook.state != ENABLED:
            log("WARNING", "webhook disabled", id=webhook.id, state=webhook.state)
        if not wanted:
            return False
        await self._gemini.update(webhook.id, **wanted)
        log("NOTICE", "webhook updated", id=webhook.id, fields=sorted(wanted))
        return True

    async def _ping_if_due(self, lease: Lease, webhook: Webhook) -> None:
        if lease.state.ping_due:
            # The next converge retries a failed ping; the webhook is registered either way.
            await lease.write(lease.state)
            await self._gemini.ping(webhook.id)
            lease.state = replace(lease.state, ping_due=False)

    async def _delete_all(self, lease: Lease) -> bool:
        webhooks = await self._gemini.all()
        webhook = await self._ours(webhooks, lease.state)
        if webhook is not None:
            await self._delete((webhook, *alike(webhooks, self._settings.uri, but=webhook.id)))
        # The next secret still has to revoke those before it at once.
        pending = AT_ONCE if lease.state.pending == AT_ONCE else ""
        lease.state = replace(lease.state, webhook_id="", pending=pending, ping_due=False)
        return webhook is not None

    async def _delete(self, webhooks: Sequence[Webhook]) -> bool:
        for webhook in webhooks:
            await self._gemini.delete(webhook.id)
            log("NOTICE", "webhook deleted", id=webhook.id)
        return bool(webhooks)

    async def _retire(self, lease: Lease) -> bool:
        due = lease.state.due(self._now())
        for version in due:
            await self._vault.disable(version)
            log("NOTICE", "signing secret disabled", version=version)
        lease.state = lease.state.retired(due)
        return bool(due)

    async def _registered(self, state: State) -> Webhook:
        webhook = await self._gemini.find(state.webhook_id) if state.webhook_id else None
        if webhook is None:
            raise NotRegistered("No webhook is registered.")
        return webhook

    @asynccontextmanager
    async def _lease(self) -> AsyncIterator[Lease]:
        lease = await take(self._store, self._now, self._pause)
        try:
            async with asyncio.timeout(BUDGET_SECONDS):
                yield lease
        except TimeoutError:
            await self._fail(lease, f"It took more than {BUDGET_SECONDS:.0f} seconds.")
            raise Busy("Not done in time; the next converge continues.") from None
        except FAILURES as failure:
            await self._fail(lease, failure.reason)
            raise
        settled = replace(lease.state, problem="", problem_generation=None)
        await lease.end(settled, self._now())

    async def _fail(self, lease: Lease, reason: str) -> None:
        generation = self._settings.generation
        state = replace(lease.state, problem=reason, problem_generation=generation)
        await give_back(lease, state, self._now())
