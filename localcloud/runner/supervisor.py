"""Runs one command that cannot outlive whoever asked for it.

A script of its own, standard library only, started by `localcloud.runner.process` as

    python -I -S supervisor.py LIFELINE LISTENER COMMAND…

LIFELINE is the file descriptor of a pipe that the parent alone holds the other end of. Its end of
file means that the parent is gone, however it went, SIGKILL included: the command and all that it
forked are then killed at once. A byte `T` on it asks the command to terminate, `K` kills it.
LISTENER is a listening socket, handed over as systemd's socket activation does
(https://www.freedesktop.org/software/systemd/man/sd_listen_fds.html).

The command's process id is written to standard output, and `ended` once all of it has. The exit
status is the command's, or 128 plus the number of the signal that ended it.
"""

import contextlib
import os
import select
import shutil
import signal
import sys
import tempfile
from typing import NoReturn

_SOCKET = 3
_TERMINAL_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(lifeline: int, listener: int, command: list[str]) -> int:
    """Run `command` to its end, or to the parent's; return the exit status to report."""
    for inherited in (lifeline, listener):
        os.set_inheritable(inherited, False)
    wake = _watch_signals()
    # gunicorn keeps a control socket in this directory; two of them must not meet.
    runtime = tempfile.mkdtemp(prefix="hooks-")
    try:
        return _run(command, lifeline, listener, wake, runtime)
    finally:
        shutil.rmtree(runtime, ignore_errors=True)


def _watch_signals() -> int:
    # What a terminal sends to everyone is for the parent to handle.
    for number in _TERMINAL_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return wake


def _run(command: list[str], lifeline: int, listener: int, wake: int, runtime: str) -> int:
    child = os.fork()
    if child == 0:
        _become(command, listener, runtime)
    try:
        # Both sides set it, so that neither can act before it is so.
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.setpgid(child, child)
        os.close(listener)
        # A parent that is gone already shows on the lifeline next.
        with contextlib.suppress(BrokenPipeError):
            os.write(sys.stdout.fileno(), b"%d\n" % child)
        return _exit_status(_wait(child, lifeline, wake))
    finally:
        _kill_group(child)
        with contextlib.suppress(BrokenPipeError):
            os.write(sys.stdout.fileno(), b"ended\n")


def _become(command: list[str], listener: int, runtime: str) -> NoReturn:
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in (*_TERMINAL_SIGNALS, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(listener, _SOCKET)
        os.set_inheritable(_SOCKET, True)
        os.dup2(2, 1)
        activation = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
        # No credentials or settings of the user's: what a function finds at home is its own.
        own = {"HOME": runtime, "XDG_RUNTIME_DIR": runtime}
        environ = {**os.environ, **activation, **own}
        os.execvpe(command[0], command, environ)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _wait(child: int, lifeline: int, wake: int) -> int:
    while True:
        readable, _, _ = select.select([lifeline, wake], [], [])
        if wake in readable:
            os.read(wake, 64)
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status
        if lifeline in readable:
            order = os.read(lifeline, 1)
            if order == b"T":
                os.kill(child, signal.SIGTERM)
            else:
                _kill_group(child)
            if not order:
                return os.waitpid(child, 0)[1]


def _kill_group(leader: int) -> None:
    # macOS answers EPERM for a group of which only the unreaped leader is left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _exit_status(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
