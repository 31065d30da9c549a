"""The account of a soak of jobs as text, and as a page."""

from collections.abc import Iterator, Mapping

from tests.soak.jobs.account import Account


def text(account: Account) -> str:
    """Return the account as lines of text."""
    checks = [
        f"{'ok  ' if check.holds else 'FAIL'} {check.name}: {check.detail}"
        for check in account.checks
    ]
    return "\n".join([*_figures(account), "", *checks, "", verdict(account)])


def verdict(account: Account) -> str:
    """Return the account in a few lines."""
    outcome = "HOLDS" if account.holds else "FAILS"
    return (
        f"{outcome}: {account.jobs:,} jobs, {account.ended:,} ends fanned out once each,\n"
        f"{account.announced_by_us:,} of them in Gemini's place, {account.lost:,} jobs given up,\n"
        f"{account.absorbed:,} events absorbed, {account.extra_copies:,} extra copies"
    )


def page(account: Account, command: str, machine: str) -> str:
    """Return the account as a page of Markdown."""
    return "\n".join(
        [
            "# The last full soak of jobs",
            "",
            f"Written by `{command}` on {machine}, in {account.seconds / 60:.1f} minutes.",
            "`tests/soak/jobs/__init__.py` says what it does.",
            "",
            "```text",
            verdict(account),
            "",
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


def _figures(account: Account) -> Iterator[str]:
    yield f"jobs           {account.jobs:,}; their starts: {_listed(account.starts)}"
    yield f"webhooks       of ends: {_listed(account.webhooks)}"
    yield f"ends           {account.ended:,} fanned out: {account.announced_by_gemini:,} as Gemini"
    yield f"               announced them, {account.announced_by_us:,} in its place"
    yield f"actions        {account.actions:,} fanned out"
    yield f"overdue        {account.overdue:,}"
    yield f"given up       {account.lost:,}, which nobody can know of or which never end"
    yield f"absorbed       {account.absorbed:,} events that another had announced"
    yield f"extra copies   {account.extra_copies:,}, each under the id of the first"
    yield f"kills          {_listed(account.kills)}"
    yield "reconciler     answers and counts:"
    for name, count in account.reconciled.items():
        yield f"                 {name:<11}{count:,}"
    yield f"lookups        {_listed(account.lookups)}"
    yield f"seconds        {account.seconds:,}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
