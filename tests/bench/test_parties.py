"""Who takes part, and what is read of their processes."""

import os
import sys
from pathlib import Path

import pytest

from bench import parties
from bench.children import child
from bench.parties import Sink

SLEEP = "import sys; print('ready', flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])"


def test_names_are_unique_and_sources_exist() -> None:
    everyone = (*parties.PYTHON_PARTIES, *parties.GO_PARTIES)
    assert len({party.name for party in everyone}) == len(everyone)
    assert all(party.source.exists() for party in everyone)


def test_only_the_go_handlers_are_go() -> None:
    assert all(party.is_go for party in parties.GO_PARTIES)
    assert not any(party.is_go for party in parties.PYTHON_PARTIES)


async def test_memory_is_that_of_all_descendants() -> None:
    async with child(sys.executable, "-c", SLEEP) as alone:
        one = parties.resident_bytes(alone.process.pid)
    async with child(sys.executable, "-c", PARENT) as parent:
        two = parties.resident_bytes(parent.process.pid)
    assert 0 < one < two


def test_a_sinks_cpu_is_read_of_its_process() -> None:
    used = Sink("", "", os.getpid()).cpu_seconds()
    assert used == pytest.approx(sum(os.times()[:2]), abs=1.0)


def test_nothing_is_built_where_go_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not parties.build_go(tmp_path / "go")


def test_a_message_is_asked_for_of_whoever_publishes() -> None:
    assert {p.name for p in parties.PYTHON_PARTIES if p.publishes} == {"receiver", "usual"}
