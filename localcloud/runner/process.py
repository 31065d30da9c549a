"""A function as a process of its own, started as the image that the Python buildpack makes of it.

The start command is `functions-framework`; the image names the function in its environment
(https://github.com/GoogleCloudPlatform/buildpacks/tree/main/cmd/python/functions_framework),
Cloud Run adds the port (https://cloud.google.com/run/docs/container-contract#env-vars), and Cloud
Functions that log entries bear the execution's id
(https://cloud.google.com/functions/docs/monitoring/logging). Nothing of this process's own
environment reaches the function.

Before it stands a front, which has its processes stopped while no request is in flight. The
listening socket is bound here and handed over, so that no port is ever raced for, the address
survives restarts, and a request that comes while the function starts waits instead of failing.
"""

import asyncio
import collections
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import httpx2

from localcloud.core.certificates import certificates
from localcloud.core.errors import StartFailed
from localcloud.runner.environment import Say, build, user_cache
from localcloud.runner.freezer import Freezer
from localcloud.runner.front import Front

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "deployed" / "functions"

FUNCTIONS = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "functions"
"""The source directory of the deployed functions, the lock beside it: a checkout's, or a copy."""

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT_LINES = 50
_LONGEST_LINE = 256 << 10

OnLine = Callable[[str, str], None]
"""Called with a function's name and one line of its log, without the line end."""


def discard(_name: str, _line: str) -> None:
    """Take a line of log and do nothing with it."""


async def deployed_python(say: Say = lambda _line: None) -> Path:
    """Return the Python of the environment that holds what the functions' lock pins.

    It is made once on a machine. Raises `BuildFailed`.
    """
    lock = FUNCTIONS.parent / "requirements.txt"
    return await build(lock, user_cache(), say=say)


@dataclass(frozen=True)
class _Running:
    process: Process
    reports: asyncio.StreamReader
    lifeline: int
    log: asyncio.Task[None]
    # The leader of the process group that the framework and its worker form, once it has one.
    leader: int | None

    def order(self, command: bytes) -> None:
        # The lifeline is closed with the log; the supervisor may have ended a moment before.
        if not self.log.done():
            with contextlib.suppress(BrokenPipeError):
                os.write(self.lifeline, command)

    async def ended(self) -> int:
        last_word = await self.reports.read()
        if not last_word and self.leader:
            # Someone killed the supervisor itself: do its last duty.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.leader, signal.SIGKILL)
        # The log ends when the last process that could write to it has gone.
        await self.log
        return await self.process.wait()


class FunctionProcess:
    """One function, served at `url` whenever it is started.

    `source` is the directory (or file) given to functions-framework, `target` the function in it.
    `environ` is all that the function sees besides what its image and the platform give every one.
    `python` belongs to an environment with the framework in it, by default that of the functions'
    lock. Its output, standard error included, goes to `on_line`. It listens on the loopback
    address, on `port` or a free one. Unless `freeze` is false, it is stopped (SIGSTOP) whenever it
    has no request in flight. The process dies with this one, however that ends.
    """

    def __init__(
        self,
        name: str,
        *,
        target: str,
        environ: Mapping[str, str],
        source: Path = FUNCTIONS,
        python: Path | None = None,
        on_line: OnLine = discard,
        port: int = 0,
        freeze: bool = True,
    ) -> None:
        self.name = name
        self.environ = dict(environ)
        self._target = target
        self._source = source
        self._python = python
        self._on_line = on_line
        self._socket = self._own = _listening(port)
        self._front: Front | None = None
        self.freezer = Freezer()
        if freeze:
            self._own = _listening(0)
            self._front = Front(self._socket, self._own.getsockname(), self.freezer)
        self._recent: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        self._running: _Running | None = None
        self._exit: asyncio.Task[int] | None = None

    @property
    def url(self) -> str:
        """Where the function answers, for example `http://127.0.0.1:40123`; always the same."""
        return _url(self._socket)

    @property
    def pid(self) -> int | None:
        """Process id of the framework, which is also its group's; None while it is stopped."""
        return self._running.leader if self._running else None

    @property
    def recent_log(self) -> Sequence[str]:
        """The last lines of output, oldest first."""
        return tuple(self._recent)

    async def start(self, *, timeout: float = 60.0) -> None:
        """Start, and return once the function has answered a request.

        Raises `StartFailed` with what the function wrote if it ends first, or has not answered
        after `timeout` seconds, and `BuildFailed` where its packages cannot be installed.
        """
        if self._exit and self._exit.done():
            await self._reap()
        if self._running:
            raise StartFailed(self.name, "it is running already")
        self._recent.clear()
        python = self._python or await deployed_python()
        if self._front:
            await self._front.open()
        answering = asyncio.create_task(self._answer())
        try:
            exit_ = await self._launch(python)
            ready = {answering, exit_}
            await asyncio.wait(ready, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
                if self._front and self._running and self._running.leader:
                    self.freezer.watch(self._running.leader)
                return
            problem = (
                f"exit status {exit_.result()}" if exit_.done() else f"silent for {timeout:g} s"
            )
        except BaseException:
            await self.kill()
            raise
        finally:
            answering.cancel()
        await self.kill()
        raise StartFailed(self.name, problem, self.recent_log)

    async def wait(self) -> int | None:
        """Return the exit status once every process of the function has ended; None if stopped."""
        return await asyncio.shield(self._exit) if self._exit else None

    def order_kill(self) -> None:
        """Have SIGKILL sent to the function, its worker included, without waiting for the end."""
        if self._running:
            self._running.order(b"K")

    async def kill(self) -> None:
        """Send SIGKILL to the function, its worker included; return once nothing of it is left."""
        self.order_kill()
        await self._reap()

    async def terminate(self, *, timeout: float = 15.0) -> int | None:
        """Send SIGTERM, as Cloud Run does; kill what is left after `timeout` seconds.

        Returns the exit status, or None if the function was not running.
        """
        if not self._running or not self._exit:
            return None
        # An instance has CPU again when it is asked to end:
        # https://cloud.google.com/run/docs/container-contract#instance-shutdown
        self.freezer.release()
        self._running.order(b"T")
        await asyncio.wait({self._exit}, timeout=timeout)
        self.order_kill()
        return await self._reap()

    async def restart(self) -> None:
        """Terminate if running, then start again at the same address."""
        await self.terminate()
        await self.start()

    async def close(self) -> None:
        """Terminate, and give the address up."""
        try:
            await self.terminate()
        finally:
            await self.kill()
            if self._front:
                self._front.close()
                # Each connection that it has ended learns that in the loop's next turn.
                await asyncio.sleep(0)
            for each in (self._socket, self._own):
                each.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _launch(self, python: Path) -> asyncio.Task[int]:
        spawning = asyncio.create_task(self._spawn(python.parent))
        try:
            await asyncio.shield(spawning)
        finally:
            # Even a start that is cancelled must know what it has started, to stop it.
            self._running = await spawning
            self._exit = asyncio.create_task(self._running.ended())
            self._exit.add_done_callback(lambda _: self.freezer.forget())
        return self._exit

    async def _spawn(self, binaries: Path) -> _Running:
        read_end, lifeline = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_SUPERVISOR)),
                *(str(read_end), str(self._own.fileno())),
                str(binaries / "functions-framework"),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                env=self._child_environ(binaries),
                cwd=self._main_file().parent,
                pass_fds=(read_end, self._own.fileno()),
                start_new_session=True,
            )
        except BaseException:
            os.close(lifeline)
            raise
        finally:
            os.close(read_end)
        reports = cast("asyncio.StreamReader", process.stdout)
        output = cast("asyncio.StreamReader", process.stderr)
        log = asyncio.create_task(self._follow(output))
        log.add_done_callback(lambda _: os.close(lifeline))
        leader = await reports.readline()
        return _Running(process, reports, lifeline, log, int(leader) if leader else None)

    def _main_file(self) -> Path:
        return self._source / "main.py" if self._source.is_dir() else self._source

    def _child_environ(self, binaries: Path) -> dict[str, str]:
        image = {
            "PATH": f"{binaries}:{_SYSTEM_PATH}",
            "PYTHONUNBUFFERED": "TRUE",
            "FUNCTION_TARGET": self._target,
            "FUNCTION_SIGNATURE_TYPE": "http",
        }
        # The server listens on the socket that it is given, whatever the port is.
        platform = {"PORT": "8080", "TZ": "UTC", "LOG_EXECUTION_ID": "true"}
        # The framework looks for main.py in its directory, unless it is told another file.
        source = {} if self._source.is_dir() else {"FUNCTION_SOURCE": str(self._source)}
        return {**image, **platform, **source, **self.environ}

    async def _follow(self, output: asyncio.StreamReader) -> None:
        async for line in _lines(output):
            self._recent.append(line)
            self._on_line(self.name, line)

    async def _answer(self) -> None:
        async with httpx2.AsyncClient(
            timeout=None, trust_env=False, verify=certificates()
        ) as client:
            # The framework answers that path itself: the function logs no request of ours.
            await client.get(f"{_url(self._own)}/robots.txt")

    async def _reap(self) -> int | None:
        exit_ = self._exit
        if not exit_:
            return None
        status = await asyncio.shield(exit_)
        # Whoever waited beside us may have started the next one already.
        if self._exit is exit_:
            self._running = self._exit = None
        return status


def _listening(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), backlog=2048)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    pending = b""
    while chunk := await stream.read(64 << 10):
        *complete, pending = (pending + chunk).split(b"\n")
        for line in complete:
            yield line.decode(errors="replace").rstrip("\r")
        if len(pending) > _LONGEST_LINE:
            yield pending.decode(errors="replace")
            pending = b""
    if pending:
        yield pending.decode(errors="replace")
