"""The demo's account as tables."""

import textwrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hooks import console
from hooks.laptop.demo.run import Shown
from localcloud.laptop.stack import SCHEMES

_LOG_LINES = 15


def show(shown: Shown, on: Console, width: int) -> None:
    """Print the account, the checks and the verdict; after a failure, also the last logs."""
    on.print()
    on.print(_counts(shown))
    on.print(_checks(shown))
    here = f"The receiver accepts {SCHEMES} here; a deployment accepts v1 unless SCHEMES says more."
    on.print(Text(textwrap.fill(here, width, subsequent_indent="  "), "dim"))
    if not shown.account.adds_up:
        on.print("\nThe functions' last lines:")
        for name, line in shown.logs[-_LOG_LINES:]:
            on.print(console.log_line(name, line))
    mark = (
        ("It adds up", "bold green")
        if shown.account.adds_up
        else ("It DOES NOT add up", "bold red")
    )
    verdict = f"{mark[0]}: {shown.account.verdict} ({shown.seconds:.1f} s)"
    lines = Text(textwrap.fill(verdict, width, subsequent_indent="  "))
    lines.stylize(mark[1], 0, len(mark[0]))
    on.print(lines)


def _counts(shown: Shown) -> Table:
    account = shown.account
    table = Table(title="What became of it", title_justify="left")
    table.add_column("")
    table.add_column("sent", justify="right")
    table.add_column("outcome")
    genuine = account.deliveries - sum(refusal.sent for refusal in account.refusals)
    table.add_row("events", str(account.events), f"{account.heard['events']} fanned out")
    table.add_row("their deliveries", str(genuine), f"{account.accepted} accepted")
    repeats = genuine - account.events
    table.add_row("of them repeats", str(repeats), f"{account.duplicates_dropped} dropped")
    for refusal in account.refusals:
        statuses = ", ".join(map(str, refusal.statuses))
        table.add_row(refusal.reason, str(refusal.sent), f"{refusal.refused} refused ({statuses})")
    for name in account.heard.keys() - {"ingress", "events", "dead-letter"}:
        table.add_row(f"heard by {name}", "", str(account.heard[name]))
    table.add_row("lost", "", str(len(account.lost)))
    return table


def _checks(shown: Shown) -> Table:
    table = Table.grid(padding=(0, 2))
    for check in shown.account.checks:
        mark = Text("holds", "green") if check.holds else Text("FAILS", "bold red")
        table.add_row(mark, check.name, Text(check.detail, "dim"))
    return table
