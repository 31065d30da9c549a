"""A soak's account as text, as a page and as a picture."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench import picture
from tests.soak.account import Account
from tests.soak.memory import Sample

_MOST_POINTS = 150


def text(account: Account) -> str:
    """Return the account as lines of text."""
    return "\n".join([*_figures(account), "", *_checks(account), "", verdict(account)])


def verdict(account: Account) -> str:
    """Return the account in one line."""
    outcome = "HOLDS" if account.holds else "FAILS"
    return (
        f"{outcome}: {account.deliveries:,} sent, {account.accepted:,} accepted,"
        f" {account.hostile:,} hostile refused, {account.fanned_out['events']:,} events fanned out,"
        f" {account.duplicates_dropped:,} duplicates dropped, {account.extra_copies:,} extra"
        f" copies, {len(account.lost):,} lost"
    )


def page(account: Account, command: str, machine: str) -> str:
    """Return the account as a page of Markdown."""
    return "\n".join(
        [
            "# The last full soak",
            "",
            f"Written by `{command}` on {machine}, in {account.seconds / 60:.1f} minutes:",
            f"{account.deliveries / account.seconds:.0f} deliveries a second, with Gemini and",
            "Google Cloud simulated on the same machine.",
            "`tests/soak/__init__.py` says what a soak does and how to run one.",
            "",
            "```text",
            verdict(account),
            "```",
            "",
            "![Memory of each function](soak-memory.svg)",
            "",
            "A line that drops and rises again is a function that was killed or stopped, and",
            "started again. The first of each kind runs until near the end, when all are killed",
            "at once. Receivers are idle once everything has been sent.",
            "",
            "```text",
            *_figures(account),
            "```",
            "",
            "| what must hold | holds | |",
            "|---|---|---|",
            *(
                f"| {check.name} | {'yes' if check.holds else '**no**'} | {check.detail} |"
                for check in account.checks
            ),
            "",
        ]
    )


def draw(samples: Sequence[Sample], path: Path) -> None:
    """Draw the memory of every function over the run."""
    series = {}
    for name in sorted({each.function for each in samples}):
        own = [each for each in samples if each.function == name]
        step = max(1, len(own) // _MOST_POINTS)
        series[name] = [(each.at / 60, each.mebibytes) for each in own[::step]]
    title = "Resident memory of each function's worker, MiB"
    path.write_text(picture.lines(title, "minutes", series), encoding="utf-8")


def _figures(account: Account) -> Iterator[str]:
    yield f"sent           {account.deliveries:,} deliveries: {account.events:,} events,"
    yield f"               {account.repeated:,} again, {account.hostile:,} hostile"
    yield f"accepted       {account.accepted:,}"
    yield f"put off        {_listed(account.put_off)} (genuine; each accepted when tried again)"
    yield "refused        by kind of hostility:"
    for kind, answers in account.refused.items():
        yield f"                 {kind:<17}{_listed(answers)}"
    yield f"stored         {account.stored:,} ingress messages"
    yield f"fanned out     {_listed(account.fanned_out)}"
    yield f"duplicates     {account.duplicates_dropped:,} dropped,"
    yield f"               {account.extra_copies:,} extra copies published under the same ce-id"
    yield f"lost           {len(account.lost):,}"
    yield f"upheaval       {_listed(account.upheaval)}"
    yield f"calls struck   {_listed(account.calls_struck)}"
    yield f"rotations      {_listed(account.rotations)}"
    for name, figures in account.memory.items():
        grown = f", {figures['growth']:+.1f} in a long life" if "growth" in figures else ""
        yield f"memory         {name}: at most {figures['largest']:.0f} MiB{grown}"
    yield f"seconds        {account.seconds:,}"


def _checks(account: Account) -> Iterator[str]:
    for check in account.checks:
        yield f"{'ok  ' if check.holds else 'FAIL'} {check.name}: {check.detail}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
