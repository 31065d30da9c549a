"""The options of `hooks jobs`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from hooks.options import AsJson, AsJsonLines, Target, Yes, moment, takes_webhook_target

app = typer.Typer(
    no_args_is_help=True,
    help="Jobs at Gemini: start and follow them. They act on the stack that runs in this "
    "directory, or on a deployment (--outputs), else on what GEMINI_API_KEY and JOBS_DATABASE say. "
    "Exit status: 0 succeeded, 3 ended otherwise, 4 timeout, 5 unknown.",
)

Kind = Literal["interaction", "batch", "video"]
State = Literal["starting", "running", "ended", "refused", "lost"]
Identifier = Annotated[
    str, typer.Argument(metavar="ID", help="The job's id, or the name that Gemini gave it.")
]
Key = Annotated[str, typer.Option(help="Under one key a job is started once.")]
Metadata = Annotated[
    list[str] | None,
    typer.Option("--metadata", metavar="NAME=TEXT", help="Borne by the job's events; repeatable."),
]
Deadline = Annotated[
    str, typer.Option(metavar="TIME", help="When it counts as overdue: RFC 3339, or e.g. +2h.")
]
Options = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=JSON", help="A further field of the request; repeatable."),
]
Timeout = Annotated[float | None, typer.Option(min=0, help="Seconds to wait at most.")]


@app.command()
@takes_webhook_target
def start(
    kind: Annotated[Kind, typer.Argument(help="interaction, batch or video.")],
    model: Annotated[str, typer.Option(help="The model.")] = "",
    agent: Annotated[str, typer.Option(help="Or the agent, of an interaction.")] = "",
    text: Annotated[str, typer.Option("--input", help="The input, or a video's prompt.")] = "",
    input_file: Annotated[
        Path | None, typer.Option(help="A file with the input, - for standard input.")
    ] = None,
    src: Annotated[str, typer.Option(help="The file of a batch: files/….")] = "",
    key: Key = "",
    metadata: Metadata = None,
    deadline: Deadline = "",
    options: Options = None,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Start a job, or show the one that was started under the same key."""
    from hooks.jobs import actions

    request = actions.Request(
        kind=kind,
        model=model,
        agent=agent,
        input=actions.read_input(text, input_file),
        src=src,
        key=key or None,
        metadata=actions.pairs("--metadata", metadata),
        deadline=moment("--deadline", deadline),
        options=actions.further_fields(options),
    )
    actions.start(target, request, json=as_json)


@app.command("list")
@takes_webhook_target
def list_(
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only those of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum to show.")] = 50,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """List the jobs of the ledger, newest first."""
    from hooks.jobs import actions

    actions.show_list(target, state or "", kind or "", limit, json=as_json)


@app.command()
@takes_webhook_target
def show(
    identifier: Identifier,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask Gemini, and record what it says.")
    ] = False,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Show a job."""
    from hooks.jobs import actions

    actions.show_one(target, identifier, refresh=refresh, json=as_json)


@app.command()
@takes_webhook_target
def wait(
    identifiers: Annotated[list[str], typer.Argument(metavar="ID...", help="Jobs, by id or name.")],
    timeout: Timeout = None,
    until: Annotated[
        Literal["end", "action"], typer.Option(help="action: or until it waits for an answer.")
    ] = "end",
    *,
    target: Target,
    as_json: AsJsonLines = False,
) -> None:
    """Wait until the jobs have ended; the worst of their ends decides the exit status."""
    from hooks.jobs import actions

    actions.wait(target, identifiers, timeout, until, json=as_json)


@app.command()
@takes_webhook_target
def stream(
    identifier: Identifier,
    after: Annotated[str, typer.Option(help="The event_id of the last event seen.")] = "",
    idle: Annotated[
        float, typer.Option(min=0.1, help="Seconds of silence, after which Gemini is asked.")
    ] = 120.0,
    *,
    target: Target,
    as_json: AsJsonLines = False,
) -> None:
    """Print an interaction's text as it comes, or with --json its events, until it has ended.

    It also stops where the interaction waits for an answer; the exit status is then 4.
    """
    from hooks.jobs import actions

    actions.stream(target, identifier, after or None, idle, json=as_json)


@app.command()
@takes_webhook_target
def answer(
    identifier: Identifier,
    text: Annotated[str, typer.Option("--text", help="An answer in words.")] = "",
    results: Annotated[
        list[str] | None,
        typer.Option(
            "--call",
            metavar="CALL=JSON",
            help="The result of a function call; repeatable. Without options the calls are shown.",
        ),
    ] = None,
    key: Key = "",
    timeout: Timeout = None,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Answer an interaction that requires action, and show the one that goes on from it."""
    from hooks.errors import UsageError
    from hooks.jobs import actions

    if text and results:
        raise UsageError("give --text or --call, not both: a text answers no call")
    given = actions.json_pairs("--call", results)
    actions.answer(target, identifier, text or given, key or None, timeout, json=as_json)


@app.command()
@takes_webhook_target
def cancel(
    identifier: Identifier,
    timeout: Annotated[
        float, typer.Option(min=0, help="Seconds to wait until Gemini shows the end.")
    ] = 60.0,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Cancel an interaction or a batch."""
    from hooks.jobs import actions

    actions.cancel(target, identifier, timeout, json=as_json)


@app.command()
@takes_webhook_target
def delete(
    identifier: Identifier, yes: Yes = False, *, target: Target, as_json: AsJson = False
) -> None:
    """Cancel a job if it runs, and delete it at Gemini; the ledger keeps its document."""
    from hooks.jobs import actions

    actions.delete(target, identifier, yes=yes, json=as_json)


@app.command()
@takes_webhook_target
def result(
    identifier: Identifier,
    directory: Annotated[
        Path | None, typer.Option(help="Download the result into this directory instead.")
    ] = None,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Print the result of a job that has succeeded: an interaction's text, else JSON."""
    from hooks.jobs import actions

    actions.result(target, identifier, directory, json=as_json)


@app.command()
@takes_webhook_target
def restart(identifier: Identifier, *, target: Target, as_json: AsJson = False) -> None:
    """Free the key of a job whose start is unknown or was refused.

    The next start under it posts anew. If Gemini had started the job after all, there are two.
    """
    from hooks.jobs import actions

    actions.restart(target, identifier, json=as_json)
