"""No client keeps a connection of any of the functions, in whatever state it leaves it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from localcloud.runner.process import FunctionProcess
from tests.hostile.endless import STATES, hold
from tests.soak.memory import resident
from tests.support.signing import secret

EMAIL = "caller@my-project.iam.gserviceaccount.com"
# Nobody listens there: what a stranger sends must not get as far as these services.
NOWHERE = "127.0.0.1:1"
COMMON = {
    "GOOGLE_CLOUD_PROJECT": "my-project",
    "PUBSUB_EMULATOR_HOST": NOWHERE,
    "FIRESTORE_EMULATOR_HOST": NOWHERE,
}
GUARDED = {**COMMON, "OIDC_AUDIENCE": "https://function.example", "OIDC_EMAILS": EMAIL}
ENVIRONS = {
    "receive": {**COMMON, "WEBHOOK_SIGNING_SECRET": secret()},
    "dispatch": GUARDED,
    "registrar": {
        **GUARDED,
        "WRITERS": EMAIL,
        "WEBHOOK_URI": "https://receive.example/",
        "SIGNING_SECRET": "projects/my-project/secrets/signing-secret",
        "GEMINI_API_KEY": "laptop",
    },
    "reconcile": {**GUARDED, "JOBS_DATABASE": "jobs", "GEMINI_API_KEY": "laptop"},
    "collect": {**GUARDED, "BUCKET": "results", "GEMINI_API_KEY": "laptop"},
}


@dataclass
class Held:
    """One connection held in each state against a function, and what that cost the function."""

    answers: dict[str, bytes | None]
    """What was answered by the end that the server made; None where it made none."""
    idle: float
    most: float
    """MiB of the worker, before and at its peak."""
    lines: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def held() -> AsyncIterator[dict[str, Held]]:
    # At once: each bound is ten seconds, and there are five functions.
    found = await asyncio.gather(*map(attacked, ENVIRONS))
    yield dict(zip(ENVIRONS, found, strict=True))


async def attacked(target: str) -> Held:
    lines: list[str] = []
    function = FunctionProcess(
        target,
        target=target,
        environ=ENVIRONS[target],
        on_line=lambda _name, line: lines.append(line),
        # A connection without a request gives no CPU, and the bounds in time are timers.
        freeze=False,
    )
    async with function:
        assert function.pid
        idle = resident(function.pid) or 0.0
        answers = await asyncio.gather(*(attempt(function, name) for name in STATES))
        return Held(dict(zip(STATES, answers, strict=True)), idle, peak(function.pid), lines)


async def attempt(function: FunctionProcess, name: str) -> bytes | None:
    address = urlsplit(function.url)
    with contextlib.suppress(TimeoutError):
        return await hold(str(address.hostname), int(address.port or 0), STATES[name])
    return None


def peak(leader: int) -> float:
    """Return the most MiB that the worker under a framework's process has ever held."""
    children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    statuses = [Path(f"/proc/{child}/status").read_text() for child in children]
    return sum(int(text.partition("VmHWM:")[2].split()[0]) for text in statuses) / 1024


@pytest.mark.parametrize("target", ENVIRONS)
async def test_the_server_ends_every_connection_that_its_client_does_not(
    held: dict[str, Held], target: str
) -> None:
    answers = held[target].answers
    assert [name for name, answer in answers.items() if answer is None] == []
    assert [name for name, answer in answers.items() if b"HTTP/1.1 5" in (answer or b"")] == []


@pytest.mark.parametrize("target", ENVIRONS)
async def test_such_connections_cost_little_and_leave_no_traceback(
    held: dict[str, Held], target: str
) -> None:
    found = held[target]
    assert found.most < 2 * found.idle
    assert [line for line in found.lines if "Traceback" in line] == []
