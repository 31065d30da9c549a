"""The demo told live: one line for everything that travels."""

from typing import Protocol

from rich.console import Console
from rich.text import Text

from hooks.laptop.demo.audience import SUBSCRIBER, event_id
from hooks.subscription import Received
from localcloud.gemini.deliveries import Delivery

_ARRIVALS = {"events": "events topic", SUBSCRIBER: "subscriber", "dead-letter": "dead letters"}


class Narrator(Protocol):
    """Is told what happens, as it happens."""

    def step(self, title: str) -> None:
        """Something new begins."""
        ...

    def delivery(self, delivery: Delivery) -> None:
        """A delivery has had its first answer."""
        ...

    def heard(self, name: str, message: Received) -> None:
        """A listener was given a message."""
        ...


class Silent:
    """Tells nobody."""

    def step(self, title: str) -> None:
        """Say nothing."""

    def delivery(self, delivery: Delivery) -> None:
        """Say nothing."""

    def heard(self, name: str, message: Received) -> None:
        """Say nothing."""


class Teller:
    """Tells it on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def step(self, title: str) -> None:
        """Print a heading."""
        self._console.print(f"\n[bold]{title}[/bold]")

    def delivery(self, delivery: Delivery) -> None:
        """Print what was sent, and how it was answered."""
        last = delivery.attempts[-1] if delivery.attempts else None
        taken = last is not None and last.succeeded
        line = _travelling("Gemini", "receive", delivery.event_type, delivery.scheme)
        line.append(f"{_short(delivery.message.event_id)}  ")
        line.append(str(last.status or last.error) if last else "?", "green" if taken else "yellow")
        if delivery.forgery:
            line.append(f" {delivery.forgery}", "yellow")
        self._console.print(line)

    def heard(self, name: str, message: Received) -> None:
        """Print what arrived, and where; what is on its way inside is left out."""
        if name == "ingress":
            return
        attributes = message.attributes
        line = _travelling(
            "dispatch",
            _ARRIVALS.get(name, f"route {name}"),
            attributes.get("ce-type", "?"),
            attributes.get("scheme", ""),
        )
        self._console.print(line.append(_short(event_id(message))))


def _travelling(origin: str, place: str, event_type: str, scheme: str) -> Text:
    return Text.assemble(
        (f"  {origin:>8} ", "dim"),
        ("─▶ ", "dim"),
        (f"{place:<13}", "cyan" if place == "receive" else "magenta"),
        f"{event_type:<29}{scheme:<6}",
    )


def _short(identifier: str) -> str:
    return identifier if len(identifier) <= 16 else f"{identifier[:15]}…"
