"""The page and the facts, from invented results."""

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import goals, report
from bench.cores import divide
from bench.dispatcher import Dispatched
from bench.driver import Work
from bench.load import Load
from bench.passages import PASSING, RELAY, Passage
from bench.plan import QUICK
from bench.receiver import Received
from bench.results import Results

NOW = datetime(2026, 1, 22, 12, tzinfo=UTC)
PYTHON = ("receiver", "usual", "noop")


def load(rate: int) -> Load:
    return Load(rate * 2, 2.0, 0, 0, 500.0, 1_000_000 / rate, 5000.0, cpu=1.0, load_busy=0.5)


def results(names: Sequence[str] = PYTHON, go: str = "") -> Results:
    rounds = [{name: load(1000 // (n + 1)) for n, name in enumerate(names)}] * 2
    works = {"dispatcher": Work(60, 1.0, 0.06), "bare": Work(80, 1.0, 0.04)}
    received = Received(
        busy=rounds,
        alone=rounds,
        kinds=[{"v1": load(1000), "v1a": load(800)}],
        checks=[150e-6],
        half=[{"receiver": load(500), "noop": load(1000)}],
        memory=[
            {"receiver": 50 << 20, "usual": 100 << 20},
            {"receiver": 60 << 20, "usual": 100 << 20},
        ],
    )
    dispatched = Dispatched(
        rounds=[{**works, "shared": Work(90, 1.0, 0.03)}],
        sizes=[{10**3: Work(100, 1.0, 0.1), 10**4: Work(100, 1.0, 0.11)}],
        served=[load(300)],
    )
    passages = [{RELAY: Passage(400, 3000.0, 9000.0), PASSING: Passage(400, 2000.0, 6000.0)}]
    starts = [{"receive": 1.5, "dispatch": 1.6, "registrar": 2.5, "noop": 1.0}]
    cores = divide({0, 1})
    return Results(QUICK, cores, go, received, passages, starts, dispatched, 2, 1)


def page(measured: Results) -> str:
    return "\n".join(report.page(measured, NOW))


def test_the_page_counts_disturbed_measurements() -> None:
    text = " ".join(page(results()).split())
    assert "2 measurements, of at most 3, were repeated" in text
    assert "; 1 more were kept in spite of that" in text


def test_the_page_names_the_cores() -> None:
    assert "- core 1 for the party, 0 for the load" in page(results())
    one = dataclasses.replace(results(), cores=divide({0}))
    assert "- core 0 for the party and the load: there is no other" in page(one)


def test_every_goal_has_its_bound_and_ratio() -> None:
    measured = list(goals.goals(results((*PYTHON, "go", "go-tuned"))))
    bounds = [goal.wanted for goal in measured]
    assert bounds == [
        *("≥ 20", "≥ 20", "≥ 4.5", "≥ 3", "≥ 0.35", "≤ 0.4"),
        *("≤ 1.8", "≤ 1.1"),
        *("≤ 1.7", "≤ 1.7", "≤ 3"),
        *("≤ 1.5", "≤ 2"),
        *("≥ 0.7", "≤ 1.05", "≤ 1.05", "≤ 1.05"),
    ]
    medians = [goal.ratio.median for goal in measured if goal.ratio]
    assert medians == pytest.approx(
        [
            *(1000 / 500, 1000 / 500, 1000 / 250, 1000 / 200, 1000 / 200, 250 / 1000),
            # A second of CPU: 500 µs for each of 2,000 deliveries, 1,500 for each of 666.
            *(333 / 1000, (625 - 150) / 500),
            *(1.5, 1.6, 2.5),
            *(1.5, 1.5),
            *(0.75, 1.1),
        ]
    )


def test_goals_without_go_or_large_ledgers_are_not_measured() -> None:
    unmeasured = {goal.figure for goal in goals.goals(results()) if goal.ratio is None}
    assert unmeasured == {
        "receiver ÷ the usual Go handler, 32 connections",
        "receiver ÷ the tuned Go handler, 1 connection",
        "receiver ÷ the tuned Go handler, 32 connections",
        "receiver's p99 ÷ the usual Go handler's, 32 connections",
        "cost per event, 100,000 documents ÷ 1,000",
        "cost per event, 1,000,000 documents ÷ 1,000",
    }


def test_the_page_has_a_verdict_for_each_goal() -> None:
    text = page(results())
    usual = "receiver ÷ the usual handler, 32 connections"
    assert f"| {usual} | ≥ 20 | 2.00 (2.00 to 2.00) | missed |" in text
    assert "a bare create + publish loop | ≥ 0.7 | 0.75 (0.75 to 0.75) | reached |" in text
    assert "10,000 documents ÷ 1,000 | ≤ 1.05 | 1.10 (1.10 to 1.10) | missed |" in text


def test_prose_on_the_page_wraps_at_100_columns() -> None:
    lines = page(results(go="1.26.0")).splitlines()
    assert not [line for line in lines if len(line) > 100 and not line.startswith("|")]


def test_the_page_names_tests_that_exist() -> None:
    tests = [file.read_text() for file in Path(__file__).parents[1].rglob("test_*.py")]
    for figure, _, test in goals.COUNTED:
        assert any(f"async def {test}(" in text for text in tests)
        assert f"| {figure} |" in page(results())


def test_the_page_says_that_go_is_missing() -> None:
    assert "Go is not installed" in page(results())
    assert "Go is not installed" not in page(results(go="1.26.0"))


def test_a_table_gives_medians_and_extremes() -> None:
    measured = results()
    measured.received.busy = [{"receiver": load(rate)} for rate in (1000, 4000, 2000)]
    text = page(measured)
    costs = "250 (125 to 500)"
    assert f"| receiver | 2,000 (1,000 to 4,000) | {costs} | 0.50 | 0.50 (0.25 to 1.00) |" in text
    assert "| 0.50 (0.25 to 1.00) | 50% | 25% |" in text


def test_the_facts_are_json_and_hold_every_round() -> None:
    facts = json.loads(json.dumps(report.facts(results(), NOW)))
    assert facts["measured"] == "2026-01-22T12:00:00+00:00"
    assert facts["machine"]["cores"] >= 1
    assert facts["versions"]["Python"]
    assert facts["goals"][0]["verdict"] == "missed"
    assert facts["goals"][0]["ratio"] == {"median": 2.0, "low": 2.0, "high": 2.0}
    assert len(facts["receiver"]["busy"]) == 2
    assert facts["dispatcher"]["sizes"][0]["1000"]["events"] == 100


def test_writing_creates_the_page_the_picture_and_the_facts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report.write(results(), tmp_path, tmp_path / "facts.json")
    assert "# Results" in (tmp_path / "RESULTS.md").read_text()
    assert "<svg" in (tmp_path / "results.svg").read_text()
    assert json.loads((tmp_path / "facts.json").read_text())["goals"]
    assert "÷ the usual handler, 32 connections: 2.00" in capsys.readouterr().out


def test_without_a_folder_goals_are_only_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report.write(results(), None, None)
    assert "÷ the usual handler, 32 connections: 2.00" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
