"""Push delivery: posts a subscription's messages to its endpoint until acknowledged."""

import asyncio
from collections.abc import Callable
from typing import Any

from localcloud.pubsub.backlog import Backlog
from localcloud.pubsub.envelope import PushRequest, push_request
from localcloud.pubsub.lease import Lease
from localcloud.pubsub.sender import PushFailedError, Sender

ACKNOWLEDGING = frozenset({102, 200, 201, 202, 204})
MAX_PARALLEL = 32

IdentityToken = Callable[[str, str], str]
"""Takes a service account's email and an audience, and returns a token.

May raise `PushFailedError` where the service would get no token: the push is tried again.
"""


class Pusher:
    """Posts what is in a backlog to an endpoint, at most `MAX_PARALLEL` messages at a time.

    An acknowledging status (102, 200, 201, 202, 204) acknowledges the message. Any other, or no
    answer until the acknowledgement deadline, counts as a failed attempt: the backlog's policy
    says when to try again. `subscription` is read for every push, so that changes apply at once.
    """

    def __init__(
        self,
        backlog: Backlog,
        subscription: Callable[[], Any],
        identity_token: IdentityToken,
        sender: Sender,
    ) -> None:
        self._backlog = backlog
        self._subscription = subscription
        self._identity_token = identity_token
        self._sender = sender
        self._slots = asyncio.Semaphore(MAX_PARALLEL)
        self._pushes: dict[str, asyncio.Task[None]] = {}
        self._dying: set[asyncio.Task[None]] = set()
        self._loop_task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop pushing; pushes under way are cancelled and count as not delivered."""
        tasks = [self._loop_task, *self._pushes.values(), *self._dying]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._slots.acquire()
            while not (leases := self._backlog.take(1, ended=self._ended)):
                await self._backlog.wait()
            for lease in leases:
                task = asyncio.get_running_loop().create_task(self._push(lease))
                task.add_done_callback(lambda _: self._slots.release())
                self._pushes[lease.ack_id] = task

    def _ended(self, lease: Lease) -> None:
        # The deadline came before an answer, or the subscription was sought or deleted.
        task = self._pushes.pop(lease.ack_id, None)
        if task is not None:
            self._dying.add(task)
            task.add_done_callback(self._dying.discard)
            task.cancel()

    async def _push(self, lease: Lease) -> None:
        acknowledged = await self._post(lease)
        self._pushes.pop(lease.ack_id, None)
        if acknowledged:
            self._backlog.acknowledge([lease.ack_id])
        else:
            self._backlog.modify([lease.ack_id], 0)

    async def _post(self, lease: Lease) -> bool:
        try:
            return await self._sender(self._request(lease)) in ACKNOWLEDGING
        except PushFailedError:
            return False

    def _request(self, lease: Lease) -> PushRequest:
        subscription = self._subscription()
        config = subscription.push_config
        token = None
        if config.HasField("oidc_token"):
            audience = config.oidc_token.audience or config.push_endpoint
            token = self._identity_token(config.oidc_token.service_account_email, audience)
        return push_request(subscription, lease, token)
