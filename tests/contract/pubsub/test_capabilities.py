from collections.abc import Callable

import pytest

from tests.contract.pubsub.capabilities import PROBES


@pytest.mark.parametrize("name", PROBES)
def test_the_emulator_has(name: str, requires: Callable[..., None]) -> None:
    requires(name)
