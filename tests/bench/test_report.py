"""The page and the facts, from results that were made up."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import goals, report
from bench.dispatcher import Dispatched
from bench.driver import Work
from bench.load import Load
from bench.plan import QUICK
from bench.receiver import Received
from bench.results import Results

NOW = datetime(2026, 1, 22, 12, tzinfo=UTC)
PYTHON = ("receiver", "usual", "sample", "noop-sync", "noop-async")


def load(rate: int) -> Load:
    return Load(rate * 2, 2.0, 0, 0, 500.0, 1_000_000 / rate, 5000.0, 0.25)


def results(names: Sequence[str] = PYTHON, go: str = "") -> Results:
    rounds = [{name: load(1000 // (n + 1)) for n, name in enumerate(names)}] * 2
    works = {"dispatcher": Work(60, 1.0, 0.06), "bare": Work(80, 1.0, 0.04)}
    received = Received(
        busy=rounds,
        alone=rounds,
        kinds=[{"v1": load(1000), "v1a": load(800)}],
        half=[{"receiver": load(500), "noop-async": load(1000)}],
        starts=[{"receiver": 1.5, "noop-async": 1.0, "usual": 3.0}],
        memory=[
            {"receiver": 50 << 20, "usual": 100 << 20},
            {"receiver": 60 << 20, "usual": 100 << 20},
        ],
        batched=50_000,
        single=4000,
    )
    dispatched = Dispatched(
        rounds=[{**works, "shared": Work(90, 1.0, 0.03), "shared-twice": Work(60, 1.0, 0.06)}],
        sizes=[{10**3: Work(100, 1.0, 0.1), 10**4: Work(100, 1.0, 0.11)}],
        served=[load(300)],
    )
    return Results(QUICK, go, received, dispatched, repeated=2, disturbed=1)


def page(measured: Results) -> str:
    return "\n".join(report.page(measured, NOW))


def test_the_page_says_what_the_host_disturbed() -> None:
    assert "- 2 measurements of 3 at most were repeated" in page(results())
    assert "; 1 more stand all the same" in page(results())


def test_every_goal_has_its_figure() -> None:
    measured = {goal.figure: goal for goal in goals.goals(results((*PYTHON, "go", "go-tuned")))}
    assert len(measured) == 15
    medians = [goal.ratio.median for goal in measured.values() if goal.ratio]
    assert medians == pytest.approx(
        [2, 1000 / 333, 5, 2, 1000 / 166, 1000 / 142, 0.166, 0.8, 2, 1.5, 0.55, 0.75, 1.1]
    )


def test_what_was_not_run_is_not_measured() -> None:
    unmeasured = {goal.figure for goal in goals.goals(results()) if goal.ratio is None}
    assert unmeasured == {
        "receiver at 32 connections ÷ the usual Go handler",
        "receiver at 32 connections ÷ the tuned Go handler",
        "p99 at 32 connections ÷ the usual Go handler's",
        "cost per event, 100,000 documents ÷ 1,000",
        "cost per event, 1,000,000 documents ÷ 1,000",
    }


def test_the_page_gives_each_goal_its_verdict() -> None:
    text = page(results())
    assert (
        "| receiver at 32 connections ÷ the usual handler | ≥ 12 | 2.00 (2.00 to 2.00) | missed |"
        in text
    )
    assert "a bare create + publish loop | ≥ 0.7 | 0.75 (0.75 to 0.75) | reached |" in text
    assert (
        "| cost per event, 10,000 documents ÷ 1,000 | ≤ 1.05 | 1.10 (1.10 to 1.10) | missed |"
        in text
    )


def test_the_page_names_tests_that_exist() -> None:
    tests = (Path(__file__).parents[1] / "relay" / "dispatcher" / "test_function.py").read_text()
    for figure, _, test in goals.COUNTED:
        assert f"async def {test}(" in tests
        assert f"| {figure} |" in page(results())


def test_the_page_says_that_go_is_missing() -> None:
    assert "Go is not installed" in page(results())
    assert "Go is not installed" not in page(results(go="1.26.0"))


def test_a_table_gives_medians_and_extremes() -> None:
    rounds = {"busy": [{"receiver": load(rate)} for rate in (1000, 3000, 2000)]}
    text = page(
        Results(QUICK, "", Received(**{**vars(results().received), **rounds}), results().dispatched)
    )
    assert "| receiver | 2,000 (1,000 to 3,000) | 0.50 | 0.50 (0.33 to 1.00) | 0.25 |" in text


def test_the_facts_are_json_with_every_round() -> None:
    facts = json.loads(json.dumps(report.facts(results(), NOW)))
    assert facts["measured"] == "2026-01-22T12:00:00+00:00"
    assert facts["machine"]["cores"] >= 1
    assert facts["versions"]["Python"]
    assert facts["goals"][0]["verdict"] == "missed"
    assert facts["goals"][0]["ratio"] == {"median": 2.0, "low": 2.0, "high": 2.0}
    assert len(facts["receiver"]["busy"]) == 2
    assert facts["dispatcher"]["sizes"][0]["1000"]["events"] == 100


def test_writing_leaves_a_page_a_plot_and_the_facts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report.write(results(), tmp_path, tmp_path / "facts.json")
    assert "# Results" in (tmp_path / "RESULTS.md").read_text()
    assert "<svg" in (tmp_path / "results.svg").read_text()
    assert json.loads((tmp_path / "facts.json").read_text())["goals"]
    assert "÷ the usual handler: 2.00" in capsys.readouterr().out


def test_without_a_folder_the_goals_are_printed_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report.write(results(), None, None)
    assert "÷ the usual handler: 2.00" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
