"""One suite, any emulator: those that the environment names, else the embedded ones.

`PUBSUB_EMULATOR_HOST` and `FIRESTORE_EMULATOR_HOST` (host:port) choose an emulator that runs
already. Where one is not set, the embedded one starts on a free port, on a loop of its own.
"""

from collections.abc import Iterator

import pytest

from tests.contract.firestore_fixtures import (  # noqa: F401 - pytest finds fixtures here
    async_collection,
    async_firestore,
    async_secret_manager,
    collection,
    firestore,
    firestore_host,
    secret_manager,
    secret_manager_host,
)
from tests.support.loop_thread import LoopThread


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """The loop that the embedded emulators live on."""
    with LoopThread() as thread:
        yield thread
