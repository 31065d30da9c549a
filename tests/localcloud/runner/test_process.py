import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from localcloud.core.errors import StartFailed
from localcloud.runner.process import FunctionProcess

ECHO = """
import asyncio, os
import functions_framework.aio
from starlette.responses import JSONResponse

print("loading", flush=True)

@functions_framework.aio.http
async def echo(request):
    print("asked for " + request.url.path, flush=True)
    if request.url.path == "/forever":
        await asyncio.Event().wait()
    return JSONResponse({"pid": os.getpid(), "parent": os.getppid(), "environ": dict(os.environ)})
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(ECHO)
    return tmp_path


class Log:
    """What the function has written, to wait for."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._more = asyncio.Event()

    def __call__(self, name: str, line: str) -> None:
        assert name == "echo"
        self.lines.append(line)
        self._more.set()

    async def contains(self, text: str) -> None:
        while not any(text in line for line in self.lines):
            self._more.clear()
            await self._more.wait()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def function(source: Path, log: Log) -> AsyncIterator[FunctionProcess]:
    environ = {"COLOUR": "blue"}
    process = FunctionProcess("echo", target="echo", environ=environ, source=source, on_line=log)
    yield process
    await process.close()


async def ask(function: FunctionProcess, path: str = "/") -> dict[str, object]:
    async with httpx2.AsyncClient(timeout=30) as client:
        answer: dict[str, object] = (await client.get(function.url + path)).json()
        return answer


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        # A process that nobody has reaped yet is dead all the same.
        return not Path(f"/proc/{pid}/stat").exists() or "Z" not in _state(pid)
    return False


def _state(pid: int) -> str:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "Z"


async def gone(*pids: int) -> None:
    async with asyncio.timeout(30):
        # Nothing tells when a process that is not our child ends.
        while any(alive(pid) for pid in pids):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_serves_under_the_framework_with_its_own_environment(
    function: FunctionProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTSIDE", "must not be seen")
    await function.start()

    answer = await ask(function)

    assert answer["parent"] == function.pid
    environ = answer["environ"]
    assert isinstance(environ, dict)
    assert environ["COLOUR"] == "blue"
    assert "OUTSIDE" not in environ
    assert "LISTEN_FDS" not in environ


async def test_the_log_comes_line_by_line(function: FunctionProcess, log: Log) -> None:
    await function.start()
    await ask(function, "/first")
    await ask(function, "/second")
    await function.terminate()

    loading, *asked = log.lines
    assert loading == "loading"
    assert [json.loads(line)["message"] for line in asked] == [
        "asked for /first",
        "asked for /second",
    ]
    assert list(function.recent_log) == log.lines


async def test_a_kill_leaves_nothing_and_the_address_stays(function: FunctionProcess) -> None:
    await function.start()
    url, before = function.url, await ask(function)

    await function.kill()

    await gone(int(str(before["pid"])), int(str(before["parent"])))
    assert function.pid is None
    await function.start()
    assert function.url == url
    assert (await ask(function))["pid"] != before["pid"]


async def test_a_request_during_a_restart_waits(function: FunctionProcess) -> None:
    await function.start()
    await function.terminate()

    waiting = asyncio.create_task(ask(function))
    await function.start()

    assert (await waiting)["parent"] == function.pid


async def test_terminate_lets_it_end_by_itself(function: FunctionProcess) -> None:
    await function.start()

    assert await function.terminate() == 0
    assert await function.terminate() is None


async def stopped(function: FunctionProcess, worker: int) -> None:
    async with asyncio.timeout(30):
        # A signal counts once the process is scheduled, which nothing tells.
        while {_state(function.pid or 0), _state(worker)} != {"T"}:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_it_is_stopped_unless_it_has_a_request_in_flight(
    function: FunctionProcess, log: Log
) -> None:
    await function.start()
    for _ in range(2):
        worker = int(str((await ask(function))["pid"]))
        await stopped(function, worker)
    asking = asyncio.create_task(ask(function, "/forever"))
    await log.contains("asked for /forever")
    await ask(function)
    assert _state(worker) != "T"
    with function.freezer.stalled():
        await stopped(function, worker)
    assert (await ask(function))["pid"] == worker
    assert _state(worker) != "T"
    asking.cancel()
    await stopped(function, worker)
    await function.kill()


async def test_it_runs_on_where_that_is_switched_off(source: Path) -> None:
    async with FunctionProcess(
        "echo", target="echo", environ={}, source=source, freeze=False
    ) as function:
        worker = int(str((await ask(function))["pid"]))
        with function.freezer.stalled():
            assert _state(worker) != "T"


async def test_a_stopped_one_ends_in_good_order_or_is_killed(function: FunctionProcess) -> None:
    for end in (function.terminate, function.kill):
        await function.start()
        worker = int(str((await ask(function))["pid"]))
        await stopped(function, worker)
        assert await end() in (0, None)
        await gone(worker)


async def test_what_does_not_end_in_time_is_killed(function: FunctionProcess, log: Log) -> None:
    await function.start()
    asking = asyncio.create_task(ask(function, "/forever"))
    await log.contains("asked for /forever")

    assert await function.terminate(timeout=0.1) == 128 + signal.SIGKILL
    with pytest.raises(httpx2.TransportError):
        await asking


async def test_a_failed_start_shows_what_the_function_said(
    function: FunctionProcess, source: Path
) -> None:
    (source / "main.py").write_text("import sys\nsys.exit('COLOUR is not set')\n")

    with pytest.raises(StartFailed, match=r"(?s)exit status 1.*COLOUR is not set"):
        await function.start()

    (source / "main.py").write_text(ECHO)
    await function.start()


async def test_a_missing_source_is_reported(source: Path) -> None:
    function = FunctionProcess("echo", target="echo", environ={}, source=source / "missing.py")

    with pytest.raises(StartFailed, match="missing"):
        await function.start()
    await function.close()


async def test_a_silent_function_is_stopped_after_the_timeout(
    function: FunctionProcess, source: Path
) -> None:
    (source / "main.py").write_text("import time\ntime.sleep(3600)\n")

    with pytest.raises(StartFailed, match="silent for"):
        await function.start(timeout=0.5)
    assert function.pid is None


async def test_a_cancelled_start_leaves_nothing(
    function: FunctionProcess, source: Path, log: Log
) -> None:
    (source / "main.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(3600)\n")
    starting = asyncio.create_task(function.start())
    await log.contains("up")
    leader = function.pid

    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert leader
    assert not alive(leader)


async def test_it_may_be_started_again_after_it_ended_by_itself(function: FunctionProcess) -> None:
    await function.start()
    assert function.pid
    function.freezer.release()
    os.kill(function.pid, signal.SIGTERM)

    assert await function.wait() == 0
    await function.start()

    assert (await ask(function))["parent"] == function.pid


async def test_a_worker_does_not_outlive_its_killed_master(function: FunctionProcess) -> None:
    await function.start()
    worker = int(str((await ask(function))["pid"]))
    assert function.pid

    os.kill(function.pid, signal.SIGKILL)

    assert await function.wait() == 128 + signal.SIGKILL
    await gone(worker)


async def test_nothing_outlives_a_killed_supervisor(function: FunctionProcess) -> None:
    await function.start()
    answer = await ask(function)
    assert function._running

    os.kill(function._running.process.pid, signal.SIGKILL)
    await function.wait()

    await gone(int(str(answer["pid"])), int(str(answer["parent"])))


PARENT = """
import asyncio, json, os, sys
from pathlib import Path
import httpx2
from localcloud.runner.process import FunctionProcess

async def main():
    function = FunctionProcess("echo", target="echo", environ={}, source=Path(sys.argv[1]))
    await function.start()
    async with httpx2.AsyncClient() as client:
        answer = (await client.get(function.url)).json()
    supervisor = function._running.process.pid
    print(json.dumps([answer["pid"], answer["parent"], supervisor]), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_nothing_outlives_the_parent(source: Path, number: signal.Signals) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(source)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=Path(__file__).parents[3],
    )
    assert parent.stdout
    pids = [int(pid) for pid in (await parent.stdout.readline()).strip(b"[]\n").split(b",")]
    assert all(alive(pid) for pid in pids)

    parent.send_signal(number)
    await parent.wait()

    await gone(*pids)
