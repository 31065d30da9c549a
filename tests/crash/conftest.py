import pytest

from relay.dispatcher import fanout, worker


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tens of thousands of scenarios from writing a log each."""
    for module in (worker, fanout):
        monkeypatch.setattr(module, "log", lambda *_args, **_fields: None)
