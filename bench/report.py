"""Writes what was measured: a page, a picture, and the same facts as JSON."""

import dataclasses
import json
import statistics
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import machine, parties, picture
from bench.dispatcher import cost
from bench.figures import Rounds
from bench.goals import COUNTED, beside, goals
from bench.quiet import MOST_STOLEN
from bench.results import Results

NOTES = Path(__file__).with_name("notes.md")
"""What follows from the figures; the page ends with it."""

METHOD = Path(__file__).with_name("method.md")
"""How it is measured; the same for each run."""


def write(results: Results, folder: Path | None, facts_file: Path | None) -> None:
    """Print the goals; write `RESULTS.md` and `results.svg` into `folder`, facts into a file."""
    now = datetime.now(UTC)
    for goal in goals(results):
        print(f"{goal.figure}: {goal.ratio or '-'}, wanted {goal.wanted}: {goal.verdict}")
    for title, ratio in beside(results):
        print(f"({title}: {ratio or '-'})")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "RESULTS.md").write_text("\n".join(page(results, now)) + "\n")
        (folder / "results.svg").write_text(draw(results))
        print(f"written: {folder / 'RESULTS.md'}, {folder / 'results.svg'}")
    if facts_file is not None:
        facts_file.write_text(json.dumps(facts(results, now), indent=1) + "\n")
        print(f"written: {facts_file}")


def facts(results: Results, now: datetime) -> dict[str, Any]:
    """Return all figures of the page, and every round, as JSON values."""
    return {
        "measured": now.isoformat(timespec="seconds"),
        "machine": machine.machine(),
        "versions": machine.versions(results.go),
        "cores": {"party": sorted(results.cores.party), "load": sorted(results.cores.load)},
        "plan": dataclasses.asdict(results.plan),
        "repeated": results.repeated,
        "disturbed": results.disturbed,
        "goals": [
            {**dataclasses.asdict(goal), "wanted": goal.wanted, "verdict": goal.verdict}
            for goal in goals(results)
        ],
        "counted": [{"figure": f, "wanted": wanted, "test": test} for f, wanted, test in COUNTED],
        "beside": {title: dataclasses.asdict(ratio) for title, ratio in beside(results) if ratio},
        "receiver": dataclasses.asdict(results.received),
        "passages": [
            {name: dataclasses.asdict(each) for name, each in came.items()}
            for came in results.passages
        ],
        "starts": results.starts,
        "dispatcher": dataclasses.asdict(results.dispatched),
    }


def page(results: Results, now: datetime) -> Iterator[str]:
    """Yield the page's lines, or several lines as one."""
    received = results.received
    yield "# Results\n"
    yield f"Measured on {now:%F} by `make bench`. Absolute figures hold for this machine alone.\n"
    yield from _machine(results)
    yield from _goals(results)
    yield "\n![Answers a second at 32 connections](results.svg)"
    yield from _beside(results)
    yield from _loads("32 connections", received.busy)
    yield from _loads("1 connection", received.alone)
    yield from _loads("Kinds of signature, 32 connections", received.kinds)
    yield from _check(received.checks)
    yield from _loads("Half load, 32 connections", received.half)
    yield from _passages(results)
    yield from _by_name("Cold start", results.starts, "seconds", lambda seconds: seconds, ".2f")
    yield from _by_name("Resident memory", received.memory, "MiB", lambda size: size / 2**20, ".0f")
    yield from _dispatcher(results)
    for file in (METHOD, NOTES):
        yield "\n" + file.read_text().rstrip()


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 100, subsequent_indent=indent, break_on_hyphens=False)


def _machine(results: Results) -> Iterator[str]:
    plan, stolen = results.plan, f"more than {MOST_STOLEN:.0%} of the cores' time"
    for facts_ in (machine.machine(), machine.versions(results.go)):
        yield _wrapped("- " + ", ".join(f"{name} {value}" for name, value in facts_.items()), "  ")
    yield f"- {results.cores}"
    yield _wrapped(
        f"- {plan.rounds} rounds of {plan.seconds} s each, alternating; {plan.starts} cold starts; "
        f"{plan.size_rounds} rounds over the ledger's sizes",
        "  ",
    )
    yield _wrapped(
        f"- {results.repeated} measurements, of at most {plan.repeats}, were repeated since the "
        f"host took {stolen}; {results.disturbed} more were kept in spite of that",
        "  ",
    )
    if not results.go:
        yield "- Go is not installed on this machine: its rows are missing, the sink is in Python"


def _goals(results: Results) -> Iterator[str]:
    yield "\n## Goals\n"
    yield "Ratios are taken within a round. The table gives their median, least and most.\n"
    yield "| figure | goal | measured | |"
    yield "|---|---|---|---|"
    for goal in goals(results):
        yield f"| {goal.figure} | {goal.wanted} | {goal.ratio or ''} | {goal.verdict} |"
    for figure, wanted, test in COUNTED:
        yield f"| {figure} | {wanted} | counted, exact | test `{test}` |"


def _beside(results: Results) -> Iterator[str]:
    yield "\n## Figures without a goal\n"
    yield "| figure | measured |"
    yield "|---|---|"
    for title, ratio in beside(results):
        yield f"| {title} | {ratio or 'not measured'} |"


def _loads(title: str, rounds: Rounds) -> Iterator[str]:
    yield f"\n## {title}\n"
    yield "| | answers/s | CPU µs each | p50 ms | p99 ms | party's core | load's |"
    yield "|---|---|---|---|---|---|---|"
    for name in rounds[0]:
        came = [r[name] for r in rounds]
        yield (
            f"| {name} | {_spread([load.rate for load in came], ',.0f')} "
            f"| {_spread([load.cost for load in came], ',.0f')} "
            f"| {_median(load.p50 / 1000 for load in came):.2f} "
            f"| {_spread([load.p99 / 1000 for load in came], '.2f')} "
            f"| {_median(load.cpu / load.seconds for load in came):.0%} "
            f"| {_median(load.load_busy / load.seconds for load in came):.0%} |"
        )


def _check(checks: Sequence[float]) -> Iterator[str]:
    micro = _spread([check * 1e6 for check in checks], ",.0f")
    yield f"\nA bare check of a `v1a` signature takes {micro} µs of CPU."


def _passages(results: Results) -> Iterator[str]:
    yield "\n## From delivery to event\n"
    yield f"At {results.plan.passage_rate} deliveries a second.\n"
    yield "| | p50 ms | p99 ms |"
    yield "|---|---|---|"
    for name in results.passages[0]:
        came = [r[name] for r in results.passages]
        middle = _spread([each.p50 / 1000 for each in came], ".2f")
        slowest = _spread([each.p99 / 1000 for each in came], ".2f")
        yield f"| {name} | {middle} | {slowest} |"


def _by_name(
    title: str,
    rounds: Sequence[Mapping[str, float]],
    unit: str,
    scale: Callable[[float], float],
    form: str,
) -> Iterator[str]:
    yield f"\n## {title}\n"
    yield f"| | {unit} |"
    yield "|---|---|"
    for name in rounds[0]:
        yield f"| {name} | {_spread([scale(r[name]) for r in rounds], form)} |"


def _dispatcher(results: Results) -> Iterator[str]:
    rounds, sizes = results.dispatched.rounds, results.dispatched.sizes
    yield "\n## Dispatcher\n"
    yield "| | events/s | CPU µs per event | the Firestore's |"
    yield "|---|---|---|---|"
    for kind in rounds[0]:
        works = [r[kind] for r in rounds]
        own = [work.cpu / work.events * 1e6 for work in works]
        store = [work.store_cpu / work.events * 1e6 for work in works]
        rates = _spread([work.rate for work in works], ",.0f")
        yield f"| {kind} | {rates} | {_spread(own, ',.0f')} | {_spread(store, ',.0f')} |"
    rates = _spread([load.rate for load in results.dispatched.served], ",.0f")
    yield f"| dispatcher under functions-framework, over HTTP | {rates} | | |"
    yield "\n| ledger's size | CPU µs per event, with the Firestore's | ms per event |"
    yield "|---|---|---|"
    for size in sizes[0]:
        costs = [cost(r[size]) for r in sizes]
        times = [1000 / r[size].rate for r in sizes]
        yield f"| {size:,} | {_spread(costs, ',.0f')} | {_spread(times, '.2f')} |"


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def _spread(values: Sequence[float], form: str) -> str:
    low, high = min(values), max(values)
    return f"{_median(values):{form}} ({low:{form}} to {high:{form}})"


def draw(results: Results) -> str:
    """Return a picture of the parties' throughput, as SVG."""
    busy = results.received.busy
    rates = {parties.BY_NAME[name].title: _median(r[name].rate for r in busy) for name in busy[0]}
    return picture.bars("Answers a second at 32 connections (median)", rates)
