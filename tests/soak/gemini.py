"""Gemini, in a process of its own: `python -m tests.soak.gemini`.

The simulator's keys, webhook and signer; the deliveries of the plan, each tried until it is
settled. Reads its orders, one JSON object a line, from standard input and ends with it; writes
what it knows, one JSON object a line, to standard output.
"""

import asyncio
import contextlib
import dataclasses
import json
import random
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_args

import httpx2
import uvloop
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from localcloud.core.clock import SystemClock
from localcloud.core.serving import AppServer
from localcloud.gemini import Gemini, Settings
from localcloud.gemini.catalogue import SUBSCRIBABLE
from localcloud.gemini.forge import Forgery, forge
from localcloud.gemini.outgoing import Message, Request, Signers, sign
from localcloud.gemini.signing import event_claims
from localcloud.laptop.names import Names
from localcloud.laptop.provision import keep_signing_secret
from tests.soak.account import Sent
from tests.soak.plan import Delivery, deliveries
from tests.soak.schedule import ROTATIONS, Action, rounds, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

AUDIENCE = "soak"

_ATTEMPT_SECONDS = 15.0
_LONGEST_PAUSE = 2.0
_REPORT_SECONDS = 0.5
_OVERSIZE = 300_000
_JWKS_OUTAGE_CALLS = 3


@dataclass(frozen=True)
class Order:
    """What to send, and where to: `receivers` are URLs, `parallel` attempts at each at a time."""

    deliveries: int
    seed: int
    receivers: list[str]
    parallel: int
    secret_manager: str
    project: str


class Outage:
    """Answers 503 in the place of an application's key set, as often as it is told to."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.left = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.left > 0 and scope["path"].endswith("/jwks.json"):
            self.left -= 1
            await PlainTextResponse("an outage", 503)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class Sender:
    """Sends the deliveries of an order, signed as Gemini does, until each is settled.

    A genuine one is settled by a 2xx, a hostile one by any answer but a 503.
    """

    def __init__(self, gemini: Gemini, order: Order, outage: Outage) -> None:
        self.sent = Sent()
        self.settled = 0
        self._gemini = gemini
        self._order = order
        self._outage = outage
        self._webhook = ""
        self._plan: Iterator[Delivery] = deliveries(order.deliveries, order.seed)
        self._rotations = spread(ROTATIONS, rounds(order.deliveries), order.deliveries)
        self._rotating: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Register, and return once everything is settled."""
        shown = self._gemini.webhooks.create(
            {"uri": self._order.receivers[0], "subscribed_events": list(SUBSCRIBABLE)}
        )
        self._webhook = shown["id"]
        await self._keep(shown["new_signing_secret"])
        async with self._client() as client, asyncio.TaskGroup() as group:
            for url in self._order.receivers:
                for _ in range(self._order.parallel):
                    group.create_task(self._work(client, url))
        await asyncio.gather(*self._rotating)

    def _client(self) -> httpx2.AsyncClient:
        unlimited = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        return httpx2.AsyncClient(timeout=_ATTEMPT_SECONDS, limits=unlimited, trust_env=False)

    async def _work(self, client: httpx2.AsyncClient, url: str) -> None:
        # All share the plan: who is held up by a dead receiver leaves it to the others.
        for delivery in self._plan:
            self.sent.deliveries += 1
            self.sent.repeated += delivery.repeated
            self.sent.unsettled += 1
            await self._settle(client, url, delivery)
            self.sent.unsettled -= 1
            self.settled += 1
            self._rotate_in_time()

    async def _settle(self, client: httpx2.AsyncClient, url: str, delivery: Delivery) -> None:
        pause = 0.05
        answers = self.sent.genuine
        if delivery.hostility:
            answers = self.sent.hostile.setdefault(delivery.hostility, type(answers)())
        while True:
            status = await self._attempt(client, url, self._request(delivery))
            answers[status] += 1
            if status not in {"503", "none"} and (delivery.hostility or status == "200"):
                return
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _attempt(self, client: httpx2.AsyncClient, url: str, request: Request) -> str:
        try:
            answer = await client.post(url, content=request.body, headers=request.headers)
        except httpx2.TransportError:
            return "none"
        return str(answer.status_code)

    def _request(self, delivery: Delivery) -> Request:
        event, timestamp = delivery.event, int(self._gemini.clock.time())
        claims = None
        if event.scheme == "jwt" or delivery.hostility == "unsigned-token":
            issuer = self._gemini.settings.jwt_issuer
            claims = {**event_claims(event.body), "iss": issuer, "aud": AUDIENCE}
        message = Message(event.id, event.body, claims, 300, token_id=True)
        if delivery.hostility is None:
            return sign(message, event.scheme, timestamp, self._signers())
        if delivery.hostility in get_args(Forgery):
            kind = cast("Forgery", delivery.hostility)
            return forge(kind, message, event.scheme, timestamp, self._signers())
        if delivery.hostility == "oversize":
            message = dataclasses.replace(message, body=event.body.ljust(_OVERSIZE))
            return sign(message, "mixed", timestamp, self._signers())
        return _garbage(event.id, timestamp)

    def _signers(self) -> Signers:
        webhook = self._gemini.webhooks.find(self._webhook)
        active = webhook.active_secrets(self._gemini.clock.time())
        keys = self._gemini.keys
        return Signers(active, keys.ed25519, lambda: keys.rsa)

    def _rotate_in_time(self) -> None:
        while self._rotations and self._rotations[0][0] <= self.settled:
            _, action = self._rotations.pop(0)
            task = asyncio.create_task(self._rotate(action))
            self._rotating.add(task)
            task.add_done_callback(self._rotating.discard)

    async def _rotate(self, action: Action) -> None:
        self.sent.rotations[" ".join(action)] += 1
        keys = self._gemini.keys
        match action:
            case ("signing-secret", how):
                revocation = "after_h24" if how == "overlap" else "immediately"
                behavior = f"revoke_previous_secrets_{revocation}"
                await self._keep(self._gemini.webhooks.rotate(self._webhook, behavior)["secret"])
            case ("jwks", _):
                self._outage.left += _JWKS_OUTAGE_CALLS
            case (kind, how):
                keys.rotate("OKP" if kind == "ed25519" else "RSA", retire_others=how == "retire")

    async def _keep(self, secret: str) -> None:
        await keep_signing_secret(Names(self._order.project), self._order.secret_manager, secret)


def _garbage(identifier: str, timestamp: int) -> Request:
    chance = random.Random(identifier)  # noqa: S311 - not a secret
    text = "".join(map(chr, range(0x21, 0x7F))) + " ,,..=="
    headers = {
        "webhook-id": identifier,
        "webhook-timestamp": chance.choice(
            [str(timestamp), f"{timestamp}.0", "1_795", "-1", "9" * 40]
        ),
        "webhook-signature": "".join(chance.choices(text, k=chance.randrange(1, 2000))).strip()
        or "v1",
    }
    return Request(headers, chance.randbytes(chance.randrange(0, 5000)))


async def _orders() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _say(**known: Any) -> None:
    sys.stdout.write(json.dumps(known) + "\n")
    sys.stdout.flush()


async def _report(sender: Sender) -> None:
    while True:
        await asyncio.sleep(_REPORT_SECONDS)
        _say(settled=sender.settled)


async def _serve() -> None:
    gemini = Gemini(SystemClock(), Settings(jwt_audience=AUDIENCE))
    outage = Outage(gemini.app)
    orders = await _orders()
    async with contextlib.AsyncExitStack() as unwinding:
        server = await unwinding.enter_async_context(AppServer(outage))
        unwinding.push_async_callback(gemini.close)
        _say(url=server.url)
        line = await orders.readline()
        if not line:
            return
        sender = Sender(gemini, Order(**json.loads(line)), outage)
        reporting = asyncio.create_task(_report(sender))
        running = asyncio.create_task(sender.run())
        # The end of the orders is the end of the work, whoever gave them is gone or not.
        ended = asyncio.create_task(orders.read())
        await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
        for task in (reporting, running, ended):
            task.cancel()
        await asyncio.gather(reporting, ended, return_exceptions=True)
        with contextlib.suppress(asyncio.CancelledError):
            await running
        with contextlib.suppress(BrokenPipeError):
            _say(sent=vars(sender.sent))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
