"""The demo as it happens: one line for each delivery and each message."""

from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.text import Text

from hooks.display import fitting
from hooks.laptop.demo.audience import SUBSCRIBER, event_id
from hooks.subscription import Received
from localcloud.gemini.deliveries import Delivery

_INDENT = "  "
_GAP = 1
_ANSWER = len("401 future-timestamp")
_STYLES = {"origin": "dim", "place": "cyan"}
_ARRIVALS = {"events": "events topic", SUBSCRIBER: "subscriber", "dead-letter": "dead letters"}


@dataclass(frozen=True, kw_only=True)
class Hop:
    """A delivery or a message on its way, and how it was answered."""

    place: str
    origin: str
    type: str
    scheme: str
    id: str
    answer: str = ""

    def cells(self, width: int) -> dict[str, str]:
        """Return what fits in `width` beside an answer; first the id gives way, then the origin.

        Nobody copies an id of the demo, whose stack is gone at the end.
        """
        cells = {
            "origin": f"{self.origin:>8} ─▶",
            "place": f"{self.place:<12}",
            "type": f"{self.type:<27}",
            "scheme": f"{self.scheme:<5}",
            "id": self.id,
        }
        ranked = ("place", "type", "scheme", "origin", "id")
        room = width - len(_INDENT) - _ANSWER - _GAP
        kept = {
            ranked[number] for number in fitting([len(cells[name]) for name in ranked], room, _GAP)
        }
        return {name: cell for name, cell in cells.items() if name in kept}


class Narrator(Protocol):
    """Is called for every step, delivery and message of the demo."""

    def step(self, title: str) -> None:
        """A step begins."""
        ...

    def delivery(self, delivery: Delivery) -> None:
        """A delivery has had its first answer."""
        ...

    def heard(self, name: str, message: Received) -> None:
        """A listener has received a message."""
        ...


class Silent:
    """Prints nothing."""

    def step(self, title: str) -> None:
        """Print nothing."""

    def delivery(self, delivery: Delivery) -> None:
        """Print nothing."""

    def heard(self, name: str, message: Received) -> None:
        """Print nothing."""


class Teller:
    """Prints it on a console of `width` columns."""

    def __init__(self, console: Console, width: int) -> None:
        self._console = console
        self._width = width

    def step(self, title: str) -> None:
        """Print a heading."""
        self._console.print(f"\n[bold]{title}[/bold]")

    def delivery(self, delivery: Delivery) -> None:
        """Print a delivery and its last answer."""
        last = delivery.attempts[-1] if delivery.attempts else None
        accepted = last is not None and last.succeeded
        answer = f"{(last.status or last.error) if last else '?'} {delivery.forgery or ''}".rstrip()
        self._print(
            Hop(
                place="receive",
                origin="Gemini",
                type=delivery.event_type,
                scheme=delivery.scheme,
                id=delivery.message.event_id,
                answer=answer,
            ),
            "green" if accepted else "yellow",
        )

    def heard(self, name: str, message: Received) -> None:
        """Print a message and its topic, except on the ingress topic."""
        if name == "ingress":
            return
        attributes = message.attributes
        self._print(
            Hop(
                place=_ARRIVALS.get(name, f"route {name}"),
                origin="dispatch",
                type=attributes.get("ce-type", "?"),
                scheme=attributes.get("scheme", ""),
                id=event_id(message),
            ),
            "",
        )

    def _print(self, hop: Hop, style: str) -> None:
        cells = hop.cells(self._width)
        line = Text(" " * _GAP).join(
            Text(cell, _STYLES.get(name, "")) for name, cell in cells.items()
        )
        if hop.answer:
            line.append(f"{' ' * _GAP}{hop.answer}", style)
        line.rstrip()
        self._console.print(Text(_INDENT).append_text(line))
