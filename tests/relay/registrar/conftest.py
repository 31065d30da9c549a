from collections.abc import AsyncIterator

import pytest

from tests.relay.registrar.world import World
from tests.relay.registrar.world import world as make_world


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with make_world(monkeypatch.setenv) as made:
        yield made
