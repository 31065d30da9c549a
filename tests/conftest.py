"""What holds for every test: no network but loopback, shared things in one process, a summary."""

import gc
import ipaddress
import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import httpx2
import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# What is imported and collected stays, so the collector need not look at it, then or ever again.
gc.disable()

# What these assert is shown in full, as in a test.
pytest.register_assert_rewrite(
    "tests.crash.explorer",
    "tests.crash.world",
    "tests.infra.deployed",
    "tests.infra.examined",
    "tests.infra.followed",
    "tests.relay.reconciler.world",
    "tests.relay.registrar.world",
    "tests.support",
)

# gRPC, once loaded, remarks on every connection that the end of an emulator cuts off.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

# A background job of a shell ignores SIGINT, and so would the commands that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A deadline for each example would fail a test for the machine's load.
settings.register_profile("relay", deadline=None)
settings.load_profile("relay")


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """Refuse connections of this process to any other machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not _here(str(address[0])):
            raise AssertionError(f"a test reached for the network: {address[0]}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(scope="session", autouse=True)
def certificates_read_once() -> Iterator[None]:
    """Share one context among the HTTP clients: each would read all trusted certificates anew."""
    with pytest.MonkeyPatch.context() as patch:
        shared = cache(httpx2.create_ssl_context)
        patch.setattr("httpx2._transports.default.create_ssl_context", shared)
        yield


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# The tests of one file share a stack, a plan, a campaign or a slow import there.
_SHARING_LAYERS = frozenset({"catalogue", "e2e", "hostile", "infra", "soak"})
# These share the default deployment, which the last of them destroys, or plans.
_SHARING_FILES = {
    "tests/infra/test_jobs_plan.py": "tests/infra/test_plan.py",
    "tests/infra/test_rights.py": "tests/infra/test_apply.py",
    "tests/infra/test_update.py": "tests/infra/test_apply.py",
}


def scope(nodeid: str) -> str:
    """Return what a test shares something costly with: all of one scope run in one process."""
    path = nodeid.partition("::")[0]
    return _SHARING_FILES.get(path, path) if _layer(nodeid) in _SHARING_LAYERS else nodeid


class _Scheduling(LoadScopeScheduling):
    """Keeps the tests of one scope in one process, and spreads the others singly."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Scheduling:
    """Schedule by name: xdist 3.8 finds no `xdist_group` under pytest 9.2."""
    return _Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run first the tests that may take longest, so that no worker begins one when the others end.

    Only the unit layer counts for the coverage: it must reach everything by itself, and tracing
    makes tests take up to twice as long.
    """
    items.sort(key=_longest, reverse=True)
    for item in items:
        if _layer(item.nodeid) != "relay":
            item.add_marker(pytest.mark.no_cover)


def pytest_collection_finish() -> None:
    """Collect garbage from here on, of what the tests make alone."""
    gc.freeze()
    gc.enable()


def _longest(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark else 0.0


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many tests of each layer passed, failed or were skipped."""
    layers: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped", "xfailed", "xpassed"):
        for report in terminalreporter.stats.get(outcome, ()):
            layers.setdefault(_layer(report.nodeid), Counter())[outcome] += 1
    terminalreporter.section("tests by layer")
    for layer, counts in sorted(layers.items()):
        shown = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
        terminalreporter.write_line(f"{layer:<12}{counts.total():>6}   {shown}")


def _layer(nodeid: str) -> str:
    parts = PurePosixPath(nodeid.partition("::")[0]).parts
    return parts[1] if len(parts) > 2 else "tests"
