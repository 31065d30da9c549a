"""Writes what was measured: a page, a plot, and the same facts as JSON."""

import dataclasses
import json
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import machine, parties
from bench.dispatcher import cost
from bench.figures import Rounds
from bench.goals import COUNTED, beside, goals
from bench.quiet import MOST_STOLEN
from bench.results import Results

NOTES = Path(__file__).with_name("notes.md")
"""What people conclude from the figures; the page ends with it."""

METHOD = Path(__file__).with_name("method.md")
"""What was measured, and how; the same for each run."""


def write(results: Results, folder: Path | None, facts_file: Path | None) -> None:
    """Print the goals; write `RESULTS.md` and `results.svg` into `folder`, facts into a file."""
    now = datetime.now(UTC)
    for goal in goals(results):
        print(f"{goal.figure}: {goal.ratio or '-'}, wanted {goal.wanted}: {goal.verdict}")
    for title, ratio in beside(results):
        print(f"({title}: {ratio or '-'})")
    if folder is not None:
        (folder / "RESULTS.md").write_text("\n".join(page(results, now)) + "\n")
        plot(results).render_to_file(str(folder / "results.svg"))
        print(f"written: {folder / 'RESULTS.md'}, {folder / 'results.svg'}")
    if facts_file is not None:
        facts_file.write_text(json.dumps(facts(results, now), indent=1) + "\n")
        print(f"written: {facts_file}")


def facts(results: Results, now: datetime) -> dict[str, Any]:
    """Return all that the page says, and every round, as JSON takes it."""
    return {
        "measured": now.isoformat(timespec="seconds"),
        "machine": machine.machine(),
        "versions": machine.versions(results.go),
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
        "dispatcher": dataclasses.asdict(results.dispatched),
    }


def page(results: Results, now: datetime) -> Iterator[str]:
    """Yield the page's lines."""
    received = results.received
    yield "# Results\n"
    yield f"Measured on {now:%F} by `make bench`. Absolute figures are this machine's alone.\n"
    yield from _machine(results)
    yield from _goals(results)
    yield "\n![Answers a second at 32 connections](results.svg)"
    yield from _beside(results)
    yield from _loads("32 connections", received.busy)
    yield from _loads("1 connection", received.alone)
    yield from _loads("Kinds of signature, 32 connections", received.kinds)
    yield from _loads("At half of the receiver's saturation", received.half)
    yield from _starts(results)
    yield from _memory(results)
    yield from _dispatcher(results)
    yield from _sink(results)
    for file in (METHOD, NOTES):
        if file.exists():
            yield "\n" + file.read_text().rstrip()


def _machine(results: Results) -> Iterator[str]:
    plan = results.plan
    yield "- " + ", ".join(f"{name} {value}" for name, value in machine.machine().items())
    yield "- " + ", ".join(f"{name} {v}" for name, v in machine.versions(results.go).items())
    yield (
        f"- {plan.rounds} rounds of {plan.seconds} s each, alternating; {plan.starts} cold starts; "
        f"{plan.size_rounds} rounds over the ledger's sizes"
    )
    yield (
        f"- {results.repeated} measurements of {plan.repeats} at most were repeated, since the "
        f"host took more than {MOST_STOLEN:.0%} of the cores' time meanwhile; "
        f"{results.disturbed} more stand all the same"
    )
    if not results.go:
        yield "- Go is not installed on this machine: its rows are absent, the sink is in Python"


def _goals(results: Results) -> Iterator[str]:
    yield "\n## Goals\n"
    yield "A ratio is taken within each round; given are its median and extremes over the rounds.\n"
    yield "| figure | goal | measured | |"
    yield "|---|---|---|---|"
    for goal in goals(results):
        yield f"| {goal.figure} | {goal.wanted} | {goal.ratio or ''} | {goal.verdict} |"
    for figure, wanted, test in COUNTED:
        yield f"| {figure} | {wanted} | counted, exact | test `{test}` |"


def _beside(results: Results) -> Iterator[str]:
    yield "\n## What bounds the goals\n"
    yield "| figure | measured |"
    yield "|---|---|"
    for title, ratio in beside(results):
        yield f"| {title} | {ratio or 'not measured'} |"
    yield (
        "\nNo handler under this framework answers faster than its no-op: where the tuned Go "
        "handler is at 1.43 times the async no-op (1 / 0.7) or more, 0.7 of it is out of reach for "
        "any of them. Likewise, no dispatcher that makes its two writes passes more events than "
        "the loop over the same store that makes them, and does nothing else."
    )


def _loads(title: str, rounds: Rounds) -> Iterator[str]:
    yield f"\n## {title}\n"
    yield "| | answers/s | p50 ms | p99 ms | sink, cores |"
    yield "|---|---|---|---|---|"
    for name in rounds[0]:
        came = [r[name] for r in rounds]
        yield (
            f"| {name} | {_spread([load.rate for load in came], ',.0f')} "
            f"| {_median(load.p50 / 1000 for load in came):.2f} "
            f"| {_spread([load.p99 / 1000 for load in came], '.2f')} "
            f"| {_median(load.sink_cores for load in came):.2f} |"
        )


def _starts(results: Results) -> Iterator[str]:
    yield "\n## Cold start\n"
    yield "From the start of the process to its answer to the first delivery.\n"
    yield from _by_name(results.received.starts, "seconds", lambda seconds: seconds, ".2f")


def _memory(results: Results) -> Iterator[str]:
    yield "\n## Memory\n"
    yield "Resident, all processes of a party together, after each round at 32 connections.\n"
    yield from _by_name(results.received.memory, "MiB", lambda size: size / 2**20, ".0f")


def _by_name(
    rounds: Sequence[Mapping[str, float]], unit: str, scale: Callable[[float], float], form: str
) -> Iterator[str]:
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


def _sink(results: Results) -> Iterator[str]:
    received = results.received
    yield "\n## The sink\n"
    yield (
        "The Pub/Sub that everybody publishes to took at least "
        f"{received.batched:,.0f} messages a second in shared calls, and at least "
        f"{received.single:,.0f} calls a second of one message each, from a single "
        "client in Python. How busy it was beside each party stands in "
        "the tables, in cores. After each round it held a message for every 200."
    )


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def _spread(values: Sequence[float], form: str) -> str:
    low, high = min(values), max(values)
    return f"{_median(values):{form}} ({low:{form}} to {high:{form}})"


def plot(results: Results) -> Any:
    """Draw the parties' throughput."""
    # Only when drawing: its importer breaks the collection of tests.
    import pygal

    chart = pygal.HorizontalBar(
        title="Answers a second at 32 connections (median)",
        show_legend=False,
        height=320,
        print_values=True,
        value_formatter=lambda value: f"{value:,.0f}",
    )
    busy = results.received.busy
    titles = {p.name: p.title for p in (*parties.PYTHON_PARTIES, *parties.GO_PARTIES)}
    names = list(busy[0])
    chart.x_labels = [titles[name] for name in names]
    chart.add("answers/s", [_median(r[name].rate for r in busy) for name in names])
    return chart
