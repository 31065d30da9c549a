from collections.abc import Callable

import pytest

from tests.contract.pubsub.capabilities import PROBES


@pytest.mark.parametrize("name", PROBES)
def test_the_embedded_emulator_has_every_capability(
    name: str, requires: Callable[..., None]
) -> None:
    requires(name)
