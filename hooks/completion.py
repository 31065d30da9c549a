"""What a shell completes: event types, and what the stack that runs in this directory has.

A shell asks while somebody types. So nothing heavy is imported, an answer takes a second at most,
and where there is no stack, or no answer, nothing is completed.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import localcloud
from hooks import stackfile
from hooks.errors import NoStack

_SECONDS = 1.0
_MOST = 100
_SCHEMAS = Path(localcloud.__file__).parent / "gemini" / "schemas"
_OURS = "hooks-"


def event_types(incomplete: str) -> list[str]:
    """Complete one of the event types that Gemini documents."""
    return _beginning(incomplete, (path.stem for path in sorted(_SCHEMAS.glob("*.json"))))


def type_globs(incomplete: str) -> list[str]:
    """Complete the last of several event types, separated by commas, or a glob of a kind."""
    before, comma, last = incomplete.rpartition(",")
    types = event_types("")
    kinds = dict.fromkeys(f"{each.partition('.')[0]}.*" for each in types)
    return [f"{before}{comma}{each}" for each in _beginning(last, iter((*kinds, *types)))]


def webhooks(incomplete: str) -> list[str]:
    """Complete the id of a webhook at the simulator."""
    return _beginning(incomplete, _webhooks())


def subscriptions(incomplete: str) -> list[str]:
    """Complete the name of a subscriber: of Terraform, or any subscription by its short name."""
    return _beginning(incomplete, _subscribers())


def events(incomplete: str) -> list[str]:
    """Complete the id of an event that the simulator has sent, the newest first."""
    return _beginning(incomplete, _events())[:_MOST]


def _webhooks() -> Iterator[str]:
    if stack := _stack():
        found = _asked(f"{stack.gemini_url}/v1/webhooks?page_size=1000", "webhooks")
        yield from (each["id"] for each in found)


def _subscribers() -> Iterator[str]:
    if stack := _stack():
        yield from stack.subscribers
        host, project = (
            stack.variables.get(name, "")
            for name in ("PUBSUB_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT")
        )
        path = f"/v1/projects/{project}/subscriptions?pageSize=1000"
        for each in _asked(f"http://{host}{path}", "subscriptions"):
            name = each["name"].rpartition("/")[2]
            if not name.startswith(_OURS):
                yield name


def _events() -> Iterator[str]:
    if stack := _stack():
        found = _asked(f"{stack.gemini_url}/control/deliveries", "deliveries")
        # A token's event has another id, which the relay makes.
        sent = (each["webhook_id"] for each in reversed(found) if each["scheme"] != "jwt")
        yield from dict.fromkeys(sent)


def _beginning(incomplete: str, words: Iterator[str]) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]


def _stack() -> stackfile.Description | None:
    try:
        return stackfile.find()
    except NoStack:
        return None


def _asked(url: str, items: str) -> list[Any]:
    # The simulator takes any key.
    request = urllib.request.Request(url, headers={"x-goog-api-key": "laptop"})  # noqa: S310
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=_SECONDS) as answer:
            return list(json.load(answer).get(items, []))
    except (OSError, ValueError):
        return []
