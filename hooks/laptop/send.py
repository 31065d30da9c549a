"""Having the simulator of a running stack send deliveries."""

import base64
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from rich.text import Text

from hooks import console, stackfile
from hooks.errors import HooksError, UsageError
from hooks.times import parse_time
from localcloud.gemini.forge import FORGERIES

_WAIT_SECONDS = 15.0
_FIRST_ANSWER_SECONDS = 3.0


@dataclass(frozen=True)
class Sent:
    """Deliveries as the simulator describes them; `chosen_time` if their timestamp was given."""

    deliveries: Sequence[Mapping[str, Any]]
    chosen_time: bool

    @property
    def as_wanted(self) -> bool:
        """Whether each was taken, or refused where it is forged; a chosen time may be either."""
        return all(map(self._as_wanted, self.deliveries))

    def _as_wanted(self, delivery: Mapping[str, Any]) -> bool:
        statuses = [attempt["status"] for attempt in delivery["attempts"]]
        if delivery["forgery"]:
            return bool(statuses) and all(status and 400 <= status < 500 for status in statuses)
        return delivery["state"] == "delivered" or (self.chosen_time and any(statuses))


def send(
    event_type: str,
    scheme: str,
    *,
    user_metadata: Sequence[str] = (),
    body: Path | None = None,
    times: int = 1,
    forge: str = "",
    at: str = "",
) -> Sent:
    """Send an event by way of the stack that runs beside, and wait for the receiver's answers.

    `user_metadata` holds `KEY=VALUE`. Raises `NoStack`, or `UsageError` for what cannot be sent.
    """
    running = stackfile.find()
    request = _request(running, event_type, scheme) | {"times": times}
    if user_metadata:
        request["user_metadata"] = _metadata(user_metadata)
    if body:
        request["body_base64"] = _base64(body)
    if forge:
        request["forgery"] = _forgery(forge)
    if at:
        request["at"] = parse_time(at, time.time(), option="--at")
    return Sent(_deliver(running, request), chosen_time=bool(at))


def show(sent: Sent, *, as_json: bool) -> None:
    """Print what became of the deliveries."""
    if as_json:
        console.print_json({"deliveries": sent.deliveries})
        return
    for delivery in sent.deliveries:
        console.out.print(_shown(delivery))


def _request(running: stackfile.Description, event_type: str, scheme: str) -> dict[str, Any]:
    if scheme in ("v1", "mixed"):
        return {"type": event_type, "scheme": scheme, "to": [running.webhook]}
    return {"type": event_type, "scheme": scheme, "uris": [running.receive_url]}


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


def _deliver(running: stackfile.Description, request: dict[str, Any]) -> list[dict[str, Any]]:
    url = f"{running.gemini_url}/control/deliver"
    try:
        with httpx2.Client(trust_env=False, timeout=_WAIT_SECONDS + 5) as client:
            # A chosen time may be refused, and then nothing is gained by waiting for attempts.
            wait = _FIRST_ANSWER_SECONDS if "at" in request else _WAIT_SECONDS
            answer = client.post(url, json={**request, "wait_seconds": wait})
    except httpx2.HTTPError as error:
        raise HooksError(f"the stack does not answer at {running.gemini_url}: {error}") from error
    if answer.status_code != httpx2.codes.OK:
        raise UsageError(f"the simulator refused: {_reason(answer.json())}")
    deliveries: list[dict[str, Any]] = answer.json()["deliveries"]
    return deliveries


def _reason(refusal: dict[str, Any]) -> str:
    return str(refusal.get("error", {}).get("message", refusal))


def _shown(delivery: Mapping[str, Any]) -> Text:
    shown = Text.assemble(
        (f"{delivery['type']:<28} ", "bold"), f"{delivery['scheme']:<6} {delivery['event_id']}"
    )
    for attempt in delivery["attempts"]:
        status = attempt["status"]
        taken = status is not None and status < httpx2.codes.MULTIPLE_CHOICES
        shown.append(f"  {status or attempt['error']}", "green" if taken else "yellow")
    if delivery["forgery"]:
        shown.append(f"  ({delivery['forgery']})", "dim")
    return shown if delivery["attempts"] else shown.append("  no answer yet", "yellow")
