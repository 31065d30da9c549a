"""The parties that are measured."""

from pathlib import Path

import pytest

from bench import parties


def test_names_are_unique_and_sources_exist() -> None:
    everyone = (*parties.PYTHON_PARTIES, *parties.GO_PARTIES)
    assert len({party.name for party in everyone}) == len(everyone)
    assert all(party.source.exists() for party in everyone)


def test_only_the_go_handlers_are_go() -> None:
    assert all(party.is_go for party in parties.GO_PARTIES)
    assert not any(party.is_go for party in parties.PYTHON_PARTIES)


def test_nothing_is_built_where_go_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not parties.build_go(tmp_path / "go")


def test_every_publishing_handler_must_store_what_it_acknowledges() -> None:
    assert {p.name for p in parties.PYTHON_PARTIES if p.publishes} == {"receiver", "usual"}
