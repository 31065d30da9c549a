"""What `hooks send` does: it has the simulator of a running stack send deliveries."""

import base64
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import httpx2
from rich.text import Text

from hooks import console, stackfile
from hooks.errors import HooksError, UsageError
from hooks.times import parse_time
from hooks.webhook.states import ENABLED, explain
from localcloud.gemini.catalogue import TYPES
from localcloud.gemini.forge import FORGERIES

_WAIT_SECONDS = 15.0
_FIRST_ANSWER_SECONDS = 3.0
_MOST_WEBHOOKS = 1000


@dataclass(frozen=True, kw_only=True)
class Event:
    """What to send; `user_metadata` holds `KEY=VALUE`, and `body` replaces the whole body.

    `at` is the timestamp as the command line states it. `unknown` also sends a type that Gemini
    does not document.
    """

    type: str
    scheme: str = "v1"
    user_metadata: Sequence[str] = ()
    body: Path | None = None
    times: int = 1
    forge: str = ""
    at: str = ""
    unknown: bool = False


@dataclass(frozen=True)
class Sent:
    """Deliveries as the simulator describes them."""

    deliveries: Sequence[Mapping[str, Any]]

    @property
    def as_wanted(self) -> bool:
        """Whether each genuine delivery was accepted, and each forged one refused."""
        return bool(self.deliveries) and all(map(_as_wanted, self.deliveries))


def _as_wanted(delivery: Mapping[str, Any]) -> bool:
    statuses = [attempt["status"] for attempt in delivery["attempts"]]
    if delivery["forgery"]:
        return bool(statuses) and all(status and 400 <= status < 500 for status in statuses)
    return bool(delivery["state"] == "delivered")


def send(event: Event) -> Sent:
    """Send an event to the stack that runs in this directory, and wait for the answers.

    Raises `NoStack`, `UsageError` for what cannot be sent, and `HooksError` if the registered
    webhook is missing or disabled.
    """
    stack = stackfile.find()
    if event.body is None and event.type not in TYPES and not event.unknown:
        raise UsageError(_unknown_type(event.type))
    request: dict[str, Any] = {"type": event.type, "scheme": event.scheme, "times": event.times}
    if event.user_metadata:
        request["user_metadata"] = _metadata(event.user_metadata)
    if event.body:
        request["body_base64"] = _base64(event.body)
    if event.forge:
        request["forgery"] = _forgery(event.forge)
    if event.at:
        request["at"] = parse_time(event.at, time.time(), option="--at")
    with httpx2.Client(
        base_url=stack.gemini_url, trust_env=False, timeout=_WAIT_SECONDS + 5
    ) as simulator:
        if event.scheme in ("v1", "mixed"):
            request["to"] = [_webhook(simulator, stack, forged=bool(event.forge))]
        else:
            request["uris"] = [stack.receive_url]
        # With a chosen timestamp, a retry is refused like the first attempt.
        wait = _FIRST_ANSWER_SECONDS if event.at else _WAIT_SECONDS
        answer = _asked(simulator, "POST", "/control/deliver", {**request, "wait_seconds": wait})
    return Sent(answer["deliveries"])


def show(sent: Sent, *, as_json: bool) -> None:
    """Print the deliveries and their answers."""
    if as_json:
        console.print_json({"deliveries": sent.deliveries})
        return
    for delivery in sent.deliveries:
        console.out.print(_shown(delivery))


def _webhook(simulator: httpx2.Client, stack: stackfile.Description, *, forged: bool) -> str:
    """Return the id of the stack's webhook, which may have been registered anew since the start.

    Raises `HooksError` if there is none, or if it is disabled and the delivery not `forged`.
    """
    path = f"/v1/webhooks?page_size={_MOST_WEBHOOKS}"
    webhooks = _asked(simulator, "GET", path)["webhooks"]
    ours = [each for each in webhooks if each["uri"].rstrip("/") == stack.receive_url.rstrip("/")]
    if not ours:
        raise HooksError(
            f"no webhook leads to {stack.receive_url}; register it with `hooks webhook apply`"
        )
    webhook = min(ours, key=lambda each: each["state"] != ENABLED)
    if webhook["state"] != ENABLED and not forged:
        meaning, remedy = explain(webhook["state"], webhook["id"])
        raise HooksError(f"{webhook['id']} is {webhook['state']}: {meaning}; {remedy}")
    return str(webhook["id"])


def _unknown_type(event_type: str) -> str:
    close = get_close_matches(event_type, TYPES, n=1)
    meant = f"; did you mean {close[0]}?" if close else "."
    return (
        f"Gemini documents no event type {event_type!r}{meant} It documents {', '.join(TYPES)}; any"
        " other is sent with --force"
    )


def _metadata(entries: Sequence[str]) -> dict[str, str]:
    metadata = {}
    for entry in entries:
        key, equals, value = entry.partition("=")
        if not key or not equals:
            raise UsageError(f"--user-metadata {entry!r} is not KEY=VALUE, for example team=blue")
        metadata[key] = value
    return metadata


def _base64(body: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if str(body) == "-" else body.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {body}: {error.strerror}") from error
    return base64.b64encode(content).decode()


def _forgery(wanted: str) -> str:
    kinds = [kind for kind in FORGERIES if kind.startswith(wanted)]
    if wanted in kinds:
        return wanted
    if len(kinds) != 1:
        raise UsageError(f"--forge takes one of {', '.join(FORGERIES)}, or a unique beginning")
    return kinds[0]


def _asked(
    simulator: httpx2.Client, method: str, path: str, body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    try:
        # The simulator takes any key.
        answer = simulator.request(method, path, json=body, headers={"x-goog-api-key": "laptop"})
    except httpx2.HTTPError as error:
        raise HooksError(f"the stack does not answer at {simulator.base_url}: {error}") from error
    answered: dict[str, Any] = answer.json()
    if answer.status_code != httpx2.codes.OK:
        reason = answered.get("error", {}).get("message", answered)
        raise UsageError(f"the simulator refused: {reason}")
    return answered


def _shown(delivery: Mapping[str, Any]) -> Text:
    shown = Text.assemble(
        (f"{delivery['type']:<28} ", "bold"), f"{delivery['scheme']:<6} {delivery['event_id']}"
    )
    for attempt in delivery["attempts"]:
        status = attempt["status"]
        accepted = status is not None and status < httpx2.codes.MULTIPLE_CHOICES
        shown.append(f"  {status or attempt['error']}", "green" if accepted else "yellow")
    if delivery["forgery"]:
        shown.append(f"  ({delivery['forgery']})", "dim")
    return shown if delivery["attempts"] else shown.append("  no answer yet", "yellow")
