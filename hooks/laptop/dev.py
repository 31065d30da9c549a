"""What `hooks dev` does: it keeps the laptop stack running."""

import asyncio
import contextlib
import os
from dataclasses import asdict, replace
from pathlib import Path

from hooks import console, stackfile
from hooks.laptop import env
from localcloud.laptop import jobs as following
from localcloud.laptop import stack
from localcloud.laptop.ports import Ports
from localcloud.runner.process import FunctionProcess, OnLine


async def serve(
    routes: str, port_base: int, keep: Path | None, *, jobs: bool, freeze: bool, as_json: bool
) -> None:
    """Run a stack, describe it in the stack file, and print its logs, until cancelled.

    `routes` is JSON or a path, `port_base` the first port, `keep` a directory that keeps the
    stack's state; `jobs` follows jobs too; `freeze` is the stack's. Raises `LocalCloudError`.
    """
    on_line = _print_json if as_json else _print
    with stackfile.locked() as file:
        on_line("hooks", "starting")
        dispatch = {"JOBS_DATABASE": following.DATABASE} if jobs else {}
        options = stack.Options(
            routes=_routes(routes),
            ports=Ports.starting_at(port_base),
            keep=keep,
            dispatch=dispatch,
            freeze=freeze,
            on_line=on_line,
        )
        async with stack.run(options) as running, contextlib.AsyncExitStack() as further:
            described = describe(running, "dev")
            functions = [running.receive, running.dispatch]
            if jobs:
                followed = await further.enter_async_context(following.following(running))
                functions += [followed.reconcile, followed.collect]
                variables = {**described.variables, **followed.variables}
                described = replace(described, variables=variables)
            file.announce(described)
            _summarise(described, as_json=as_json)
            await asyncio.gather(*(_keep(function, on_line) for function in functions))


def _routes(text: str) -> str:
    # A path is relative to our working directory; the functions run in another.
    text = text.strip()
    return str(Path(text).absolute()) if text and text[0] not in "[{" else text


async def _keep(function: FunctionProcess, on_line: OnLine) -> None:
    """Restart a function whenever it ends, as Cloud Run does; raises `StartFailed`."""
    while True:
        status = await function.wait()
        on_line(function.name, f"ended with exit status {status}; starting again")
        await function.start()


def describe(running: stack.Stack, command: str) -> stackfile.Description:
    """Describe a stack that `hooks COMMAND` runs to the other commands."""
    return stackfile.Description(
        pid=os.getpid(),
        command=command,
        gemini_url=running.gemini_url,
        receive_url=running.receive.url,
        dispatch_url=running.dispatch.url,
        webhook=running.webhook.id,
        topics=running.topics,
        variables=running.variables,
    )


def _print(name: str, line: str) -> None:
    console.out.print(console.log_line(name, line))


def _print_json(name: str, line: str) -> None:
    console.print_json({"from": name, "line": line})


def _summarise(running: stackfile.Description, *, as_json: bool) -> None:
    if as_json:
        console.print_json({"stack": asdict(running)})
        return
    urls = {
        "receiver": running.receive_url,
        "webhook": f"{running.webhook}  (registered)",
        "accepts": f"{stack.SCHEMES}  (a deployment: v1, unless its SCHEMES says more)",
        "dispatcher": running.dispatch_url,
        "Gemini": f"{running.gemini_url}  (a simulator)",
    }
    for title, entries in (("Functions", urls), ("Topics", running.topics)):
        console.out.print(f"\n[bold]{title}[/bold]")
        console.out.print(console.pairs(entries))
    console.out.print("\n[bold]Variables[/bold]")
    console.out.print(env.exports(running.variables, indent="  "))
    console.out.print(
        '\nIn another terminal, in the same directory: [bold]eval "$(hooks env)"[/bold] sets'
        "\nthe variables; [bold]hooks send batch.succeeded[/bold], [bold]hooks tail[/bold]."
        " Ctrl-C stops everything.\n"
    )
