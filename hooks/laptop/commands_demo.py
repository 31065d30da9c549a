"""`hooks demo`: one event of every kind, from Gemini to a subscriber, with a verdict."""

from typing import Annotated

import typer


def demo(
    as_json: Annotated[
        bool, typer.Option("--json", help="The same facts as one JSON document.")
    ] = False,
) -> None:
    """Run the whole relay on this machine, send it everything, and check what arrives.

    The exit status is 0 only if what arrived is what was sent, once, and nothing else.
    """
    import asyncio

    from hooks import console
    from hooks.laptop.demo.narrator import Silent, Teller
    from hooks.laptop.demo.run import demonstrate
    from hooks.laptop.demo.show import show

    shown = asyncio.run(demonstrate(Silent() if as_json else Teller(console.out)))
    if as_json:
        console.print_json({**shown.account.facts(), "seconds": round(shown.seconds, 1)})
    else:
        show(shown, console.out)
    if not shown.account.adds_up:
        raise typer.Exit(1)
