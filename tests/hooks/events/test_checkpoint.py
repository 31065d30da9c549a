import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hooks.errors import UsageError
from hooks.events.checkpoint import Checkpoint, load
from hooks.events.retained import Selection

START = "2026-01-22T12:00:00+00:00"


def checkpoint() -> Checkpoint:
    return Checkpoint(
        replay="r",
        topic="t",
        subscription="s",
        start=START,
        since=START,
        until=START,
        type="batch.*",
        ids=["evt_1"],
        routes=["blue"],
        scanned=3,
        replayed=2,
    )


def test_a_saved_checkpoint_is_loaded_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "replay.json"
    checkpoint().save(path)
    assert load(path) == checkpoint()
    assert [each.name for each in path.parent.iterdir()] == ["replay.json"]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_checkpoint_selects_its_events() -> None:
    when = datetime(2026, 1, 22, 12, tzinfo=UTC)
    assert checkpoint().selection == Selection(
        ids=frozenset({"evt_1"}), type="batch.*", since=when, until=when
    )


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"replay": 1}', "\x00"])
def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="not a checkpoint"):
        load(path)


def test_a_checkpoint_with_a_wrong_time_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    wrong = checkpoint()
    wrong.until = "soon"
    wrong.save(path)
    with pytest.raises(UsageError, match="not a checkpoint"):
        load(path)


def test_a_failed_write_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        checkpoint().save(tmp_path / "file" / "x.json")
