"""What `hooks jobs` does. Every action ends with the exit status that the job's end deserves."""

import contextlib
import json as jsonlib
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import typer

from gemini_relay import (
    ConfigurationError,
    Job,
    JobFailed,
    Jobs,
    JobsError,
    NotFound,
    Refused,
    StartUnknown,
    WaitTimeout,
)
from hooks import console
from hooks.display import table
from hooks.errors import HooksError, NoStack, UsageError
from hooks.options import Target
from relay.jobs.states import REQUIRES_ACTION

SUCCEEDED, ENDED_OTHERWISE, TIMEOUT, UNKNOWN = 0, 3, 4, 5
"""The exit statuses that scripts rely on."""

_HEADS = ("id", "kind", "state", "status", "outcome", "target", "created", "key")
_IMPORTANCE = ("id", "state", "outcome", "kind", "status", "created", "key", "target")
_KEY_OF_A_STACK = "laptop"
_LAG_SECONDS = 30.0
"""How long Gemini's plain answer may lag behind the end of a stream."""
_OPTIONS = {
    "model": "--model",
    "agent": "--agent",
    "input": "--input",
    "prompt": "--input",
    "src": "--src",
    "key": "--key",
    "metadata": "--metadata",
    "deadline": "--deadline",
}
"""Fields of a request that have an option of their own."""


class JobsProblem(HooksError):
    """An error of the library, with the exit status that it has here."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `hooks jobs start` starts."""

    kind: str
    model: str
    agent: str
    input: str
    src: str
    key: str | None
    metadata: Mapping[str, str]
    deadline: datetime | None
    options: Mapping[str, Any]


def environ(target: Target, given: Mapping[str, str]) -> Mapping[str, str]:
    """Return the library's environment: the stack's, a deployment's, or the one that is given."""
    try:
        deployment = target.find()
    except NoStack:
        return given
    database = deployment.jobs_database or given.get("JOBS_DATABASE", "")
    found = {**given, "GOOGLE_CLOUD_PROJECT": deployment.project, "JOBS_DATABASE": database}
    if deployment.local:
        # The simulator takes any key; a real one must not leave for it, nor the stack for Gemini.
        found |= {**deployment.variables, "GEMINI_API_KEY": _KEY_OF_A_STACK}
    return found


def read_input(text: str, path: Path | None) -> str:
    """Return the text that is given, or that a file (`-`: standard input) holds."""
    if path is None:
        return text
    if text:
        raise UsageError("give --input or --input-file, not both")
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error


def pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    """Read NAME=TEXT; raises `UsageError`."""
    found = dict(each.partition("=")[::2] for each in given or ())
    if not all(found) or any("=" not in each for each in given or ()):
        raise UsageError(f"{option} takes NAME=VALUE")
    return found


def json_pairs(option: str, given: Sequence[str] | None) -> dict[str, Any]:
    """Read NAME=JSON, where what is no JSON is a text; raises `UsageError`."""
    return {name: _json(text) for name, text in pairs(option, given).items()}


def further_fields(given: Sequence[str] | None) -> dict[str, Any]:
    """Read the fields of `--set`; raises `UsageError` for one that has an option of its own."""
    found = json_pairs("--set", given)
    for name in found:
        if name in _OPTIONS:
            raise UsageError(f"--set takes no {name}, which has an option: give {_OPTIONS[name]}")
    return found


def start(target: Target, request: Request, *, json: bool) -> None:
    """Start a job, and show it."""
    with _jobs(target) as jobs:
        _show(_started(jobs, request), json=json)


def show_list(target: Target, state: str, kind: str, limit: int, *, json: bool) -> None:
    """Print jobs of the ledger."""
    with _jobs(target) as jobs:
        found = jobs.list(state=state, kind=kind, limit=limit)
    if json:
        console.print_json({"jobs": [job.described() for job in found]})
        return
    if not found:
        console.err.print("the ledger has no such job")
        return
    rows = [[_cell(job, head) for head in _HEADS] for job in found]
    console.out.print(table(_HEADS, rows, importance=_IMPORTANCE, width=console.width()))


def show_one(target: Target, identifier: str, *, refresh: bool, json: bool) -> None:
    """Print a job."""
    with _jobs(target) as jobs:
        job = jobs.get(identifier)
        _show(jobs.refresh(job) if refresh else job, json=json)


def wait(
    target: Target,
    identifiers: Sequence[str],
    timeout: float | None,
    until: Literal["end", "action"],
    *,
    json: bool,
) -> None:
    """Wait for jobs, print them, and exit as the worst of them ended."""
    with _jobs(target) as jobs:
        try:
            found = jobs.wait_many(map(jobs.get, identifiers), timeout=timeout, until=until)
            late = False
        except WaitTimeout as timeout_error:
            found, late = timeout_error.jobs, True
    for job in found:
        _show(job, json=json)
    statuses = [exit_status(job) for job in found if job.state != "running"]
    _exit(max([*statuses, TIMEOUT if late else SUCCEEDED]))


def stream(target: Target, identifier: str, after: str | None, idle: float, *, json: bool) -> None:
    """Print an interaction's stream, and exit as it ended."""
    with _jobs(target) as jobs:
        job = jobs.get(identifier)
        for event in jobs.stream(job, after=after, idle=idle):
            if json:
                console.print_json(event.model_dump(mode="json", exclude_none=True, warnings=False))
            else:
                sys.stdout.write(_text(event))
                sys.stdout.flush()
        job = _settled(jobs, jobs.refresh(job))
    if not json:
        sys.stdout.write("\n")
        _show(job, json=False, to=console.err)
        if job.status == REQUIRES_ACTION:
            asked = _command(target, "answer", job.id)
            console.err.print(f"it waits for an answer; `{asked}` shows what it asks", markup=False)
    _exit(exit_status(job))


def _settled(jobs: Jobs, job: Job) -> Job:
    """Return a job whose stream is over, once Gemini's plain answer tells that too."""
    try:
        return jobs.wait(job, timeout=_LAG_SECONDS, until="action")
    except WaitTimeout as late:
        return late.jobs[0]


def answer(
    target: Target,
    identifier: str,
    values: Mapping[str, Any] | str,
    key: str | None,
    timeout: float | None,
    *,
    json: bool,
) -> None:
    """Answer an interaction, or without values print its open calls."""
    with _jobs(target) as jobs:
        job = jobs.get(identifier)
        if values:
            _show(jobs.answer(job, values, key=key, wait=timeout), json=json)
            return
        calls = [_plain(call) for call in jobs.pending(job)]
    if json:
        console.print_json({"pending": calls})
        return
    for call in calls:
        asked = f"{call['id']}  {call['name']}({jsonlib.dumps(call['arguments'])})"
        console.out.print(asked, markup=False)
    console.err.print("answer with --call ID=JSON for each, or with --text")


def cancel(target: Target, identifier: str, timeout: float, *, json: bool) -> None:
    """Cancel a job, and show it."""
    with _jobs(target) as jobs:
        _show(jobs.cancel(jobs.get(identifier), wait=timeout), json=json)


def delete(target: Target, identifier: str, *, yes: bool, json: bool) -> None:
    """Delete a job at Gemini once that is confirmed, and show it as it was."""
    with _jobs(target) as jobs:
        job = jobs.get(identifier)
        action = f"cancel {job.id} if it runs, and delete it and its result at Gemini"
        if console.confirmed(action, yes=yes, json=json):
            _show(jobs.delete(job), json=json)


def result(target: Target, identifier: str, directory: Path | None, *, json: bool) -> None:
    """Print a job's result, or the files into which it is downloaded."""
    with _jobs(target) as jobs:
        job = jobs.get(identifier)
        if directory is None:
            found = jobs.result(job)
            text = getattr(found, "output_text", None)
            if json or not isinstance(text, str):
                console.print_json(_plain(found))
            else:
                sys.stdout.write(f"{text}\n")
            return
        paths = [str(path) for path in jobs.download(job, directory)]
    if json:
        console.print_json({"files": paths})
    else:
        sys.stdout.writelines(f"{path}\n" for path in paths)


def restart(target: Target, identifier: str, *, json: bool) -> None:
    """Free a job's key, and show the job."""
    with _jobs(target) as jobs:
        _show(jobs.restart(jobs.get(identifier)), json=json)


def exit_status(job: Job) -> int:
    """Return the exit status that a job's state deserves: `TIMEOUT` for one that goes on."""
    if job.ended:
        return SUCCEEDED if job.succeeded else ENDED_OTHERWISE
    return UNKNOWN if job.state in {"starting", "lost"} else TIMEOUT


@contextlib.contextmanager
def _jobs(target: Target) -> Iterator[Jobs]:
    try:
        with Jobs.from_environ(environ(target, os.environ)) as jobs:
            yield jobs
    except (ConfigurationError, ValueError) as error:
        raise UsageError(str(error)) from error
    except JobsError as error:
        raise JobsProblem(_explained(error, target), _status_of(error)) from error


def _status_of(error: JobsError) -> int:
    match error:
        case WaitTimeout():
            return TIMEOUT
        case StartUnknown() | NotFound():
            return UNKNOWN
        case JobFailed() | Refused():
            return ENDED_OTHERWISE
    return 1


def _explained(error: JobsError, target: Target) -> str:
    if isinstance(error, StartUnknown) and error.job.name:
        wait = _command(target, "wait", error.job.name)
        return f"{error}; do not restart it, and follow it: `{wait}`"
    if isinstance(error, StartUnknown):
        restart = _command(target, "restart", error.job.id)
        return (
            f"{error}; an event may tell. To start it again, and perhaps twice: `{restart}`, then"
            " the same command"
        )
    return str(error)


def _command(target: Target, *words: str) -> str:
    """Return a `hooks jobs` command that acts on what this one acted on."""
    try:
        return target.find().command("jobs", *words)
    except NoStack:
        return shlex.join(["hooks", "jobs", *words])


def _started(jobs: Jobs, request: Request) -> Job:
    common: dict[str, Any] = {
        **request.options,
        "key": request.key,
        "metadata": request.metadata,
        "deadline": request.deadline,
    }
    if request.kind == "batch":
        return jobs.batch(model=request.model, src=request.src, **common)
    if request.kind == "video":
        return jobs.video(model=request.model, prompt=request.input, **common)
    return jobs.interaction(
        input=request.input, model=request.model or None, agent=request.agent or None, **common
    )


def _show(job: Job, *, json: bool, to: Any = console.out) -> None:
    described = job.described()
    if json:
        console.print_json(described)
        return
    shown = {name: _shown(value) for name, value in described.items() if value not in (None, {})}
    to.print(console.pairs(shown))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else jsonlib.dumps(value, default=str)


def _cell(job: Job, head: str) -> str:
    if head == "created":
        return f"{job.created_at:%Y-%m-%d %H:%M}" if job.created_at else ""
    return str(getattr(job, head) or "")


def _text(event: Any) -> str:
    text = getattr(getattr(event, "delta", None), "text", None)
    return text if isinstance(text, str) else ""


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_none=True, warnings=False)


def _json(text: str) -> Any:
    try:
        return jsonlib.loads(text)
    except ValueError:
        return text


def _exit(status: int) -> None:
    if status:
        raise typer.Exit(status)
