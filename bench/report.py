"""Writes what was measured as a page and a plot."""

import importlib.metadata
import os
import platform
import shutil
import statistics
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pygal

from bench import figures, parties
from bench.figures import Goal, Ratio, Rounds
from bench.receiver import Results

_PACKAGES = (
    "functions-framework",
    "gunicorn",
    "uvicorn",
    "uvloop",
    "grpcio",
    "google-cloud-pubsub",
)


def write(results: Results, folder: Path) -> None:
    """Write `RESULTS.md` and `results.svg` into `folder`, and print the goals."""
    page = "\n".join(_page(results)) + "\n"
    (folder / "RESULTS.md").write_text(page)
    _plot(results).render_to_file(str(folder / "results.svg"))
    for goal in goals(results):
        print(f"{goal.figure}: {goal.ratio or '-'}, wanted {goal.wanted}: {goal.verdict}")
    print(f"written: {folder / 'RESULTS.md'}, {folder / 'results.svg'}")


def goals(results: Results) -> Sequence[Goal]:
    """Return every goal with the figure that was measured for it."""
    busy, alone = results.busy, results.alone
    starts = [came["receiver"] / came["noop-async"] for came in results.starts]
    memory = results.memory
    resident = Ratio(*[memory["receiver"] / memory["usual"]] * 3) if memory else None
    throughput, tail = figures.throughput, figures.tail
    at_once = "at 32 connections"
    return (
        Goal(f"{at_once} ÷ the usual handler", 12, "more", throughput(busy, "receiver", "usual")),
        Goal(f"{at_once} ÷ the sample", 4, "more", throughput(busy, "receiver", "sample")),
        Goal(
            f"{at_once} ÷ the async no-op", 0.6, "more", throughput(busy, "receiver", "noop-async")
        ),
        Goal(
            "at 1 connection ÷ the usual handler",
            10,
            "more",
            throughput(alone, "receiver", "usual"),
        ),
        Goal(f"{at_once} ÷ the usual Go handler", 1.5, "more", throughput(busy, "receiver", "go")),
        Goal(
            f"{at_once} ÷ the tuned Go handler",
            0.7,
            "more",
            throughput(busy, "receiver", "go-tuned"),
        ),
        Goal(f"p99 {at_once} ÷ the usual Go handler's", 1, "less", tail(busy, "receiver", "go")),
        Goal("`v1a` ÷ `v1` deliveries", 0.7, "more", throughput(results.kinds, "v1a", "v1")),
        Goal(
            "p99 at half of saturation ÷ the no-op's",
            3,
            "less",
            tail(results.half, "receiver", "noop-async"),
        ),
        Goal("cold start ÷ the no-op's", 1.8, "less", figures.of(starts)),
        Goal("resident memory ÷ the usual handler's", 1.1, "less", resident),
    )


def _page(results: Results) -> Iterator[str]:
    yield "# Results\n"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    yield f"Measured on {today} by `make bench`; absolute figures are this machine's alone.\n"
    yield from _machine(results)
    yield "\n## Goals\n"
    yield "A ratio is taken within each round; given are its median and extremes over the rounds.\n"
    yield "| figure | goal | measured | |"
    yield "|---|---|---|---|"
    for goal in goals(results):
        yield f"| {goal.figure} | {goal.wanted} | {goal.ratio or ''} | {goal.verdict} |"
    yield "\n![throughput at 32 connections](results.svg)"
    yield from _table("32 connections", results.busy)
    yield from _table("1 connection", results.alone)
    yield from _table("Kinds of signature, 32 connections", results.kinds)
    yield from _table("At half of the receiver's saturation", results.half)
    yield "\n## The sink\n"
    yield (
        f"The Pub/Sub that everybody publishes to took {results.sink_rate:,.0f} messages a second "
        "from a client that did nothing else. After each round, it held a message for every 200."
    )
    if not results.go:
        yield "\nGo is not installed on this machine: its rows are absent."
    yield "\n## Memory\n"
    for name, resident in results.memory.items():
        yield f"- {name}: {resident / 2**20:.0f} MiB resident, after the load at 32 connections"


def _machine(results: Results) -> Iterator[str]:
    yield f"- {platform.system()} {platform.machine()}, {os.cpu_count()} cores, {_processor()}"
    yield f"- Python {platform.python_version()}; " + ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES
    )
    if results.go and shutil.which("go"):
        version = subprocess.run(["go", "version"], capture_output=True, text=True, check=True)
        yield f"- {version.stdout.strip()}"
    plan = results.plan
    rounds = f"{plan.rounds} rounds of {plan.seconds:g} s each, alternating"
    yield f"- {rounds}; {plan.starts} cold starts"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "processor unknown"
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), "?"
    )


def _table(title: str, rounds: Rounds) -> Iterator[str]:
    yield f"\n## {title}\n"
    yield "| | answers/s | p50 ms | p99 ms |"
    yield "|---|---|---|---|"
    for name in rounds[0]:
        came = [r[name] for r in rounds]
        rate, p50, p99 = (
            _median(load.rate for load in came),
            _median(load.p50 / 1000 for load in came),
            _median(load.p99 / 1000 for load in came),
        )
        yield f"| {name} | {rate:,.0f} | {p50:.2f} | {p99:.2f} |"


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def _plot(results: Results) -> pygal.HorizontalBar:
    chart = pygal.HorizontalBar(
        title="Answers a second at 32 connections (median)", show_legend=False, height=320
    )
    titles = {p.name: p.title for p in (*parties.PYTHON_PARTIES, *parties.GO_PARTIES)}
    names = list(results.busy[0])
    chart.x_labels = [titles[name] for name in names]
    chart.add("answers/s", [_median(r[name].rate for r in results.busy) for name in names])
    return chart
