from collections.abc import AsyncIterator
from functools import cache

import pytest

from relay.gcp import secrets, store
from tests.relay.registrar.world import World
from tests.relay.registrar.world import world as make_world


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    # Each of Google's clients adds an interceptor to its channel, and hundreds share one here.
    monkeypatch.setattr(store, "make_client", cache(store.make_client))
    monkeypatch.setattr(secrets, "_client", cache(secrets._client))
    async with make_world(monkeypatch.setenv) as made:
        yield made
