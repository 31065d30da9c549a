"""The options of `hooks demo`, `deploy`, `dev`, `env`, `send`, `subscribe`, `tail`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from hooks.completion import event_types
from hooks.options import (
    AsJson,
    AsJsonLines,
    Filter,
    Payload,
    Target,
    Types,
    globs,
    takes_target,
)
from localcloud.laptop.ports import BASE, COUNT

app = typer.Typer()

Scheme = Literal["v1", "v1a", "jwt", "mixed"]

Freeze = Annotated[
    bool,
    typer.Option(
        "--freeze/--no-freeze",
        help="Stop functions between requests, as Cloud Run does.",
    ),
]


@app.command()
def demo(
    as_json: Annotated[
        bool, typer.Option("--json", help="The result as one JSON document.")
    ] = False,
) -> None:
    """Run the whole relay on this machine, send every kind of event, and check what arrives.

    The exit status is 0 only if every event arrives exactly once, and nothing else does.
    """
    import asyncio

    from hooks import console
    from hooks.laptop.demo.narrator import Silent, Teller
    from hooks.laptop.demo.run import demonstrate
    from hooks.laptop.demo.show import show

    shown = asyncio.run(demonstrate(Silent() if as_json else Teller(console.out, console.width())))
    if as_json:
        console.print_json({**shown.account.facts(), "seconds": round(shown.seconds, 1)})
    else:
        show(shown, console.out, console.width())
    if not shown.account.adds_up:
        raise typer.Exit(1)


@app.command()
def deploy(
    local: Annotated[
        bool, typer.Option("--local", help="To a local cloud. Required: there is no other way yet.")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Apply, send, plan and destroy, with a verdict.")
    ] = False,
    var: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A variable of infra/; repeatable."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="All of Terraform's output.")
    ] = False,
    freeze: Freeze = True,
    as_json: AsJsonLines = False,
) -> None:
    """Apply infra/ to a local cloud with the real Terraform, and keep it running until Ctrl-C.

    `hooks send` and `hooks tail` work in the same directory meanwhile. To deploy to a project of
    your own, run `terraform apply` in infra/.
    """
    from hooks.errors import UsageError
    from hooks.interrupts import run_until_stopped

    if not local:
        raise UsageError(
            "hooks deploys to a local cloud only: hooks deploy --local. For a project of your own,"
            " run terraform apply in infra/ (docs/deploy.md)"
        )
    variables = _variables(var or [])
    if demo:
        _deploy_demo(variables, verbose=verbose, as_json=as_json)
        return
    from hooks.laptop.deploy import serve

    run_until_stopped(serve(variables, verbose=verbose, freeze=freeze, as_json=as_json))


@app.command()
def dev(
    routes: Annotated[
        str, typer.Option(help="The dispatcher's ROUTES: JSON, or the path of a JSON file.")
    ] = "",
    port_base: Annotated[
        int,
        typer.Option(
            envvar="HOOKS_PORT_BASE",
            help="The first of the stack's four ports in a row: the receiver's, the dispatcher's, "
            "Gemini's, the emulators'. 0: free ones.",
            min=0,
            max=65535 - COUNT,
        ),
    ] = BASE,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep messages, ledger, webhooks and secrets here from one run to the next.",
        ),
    ] = None,
    jobs: Annotated[
        bool, typer.Option("--jobs", help="Follow jobs too: a ledger, a reconciler, a collector.")
    ] = False,
    freeze: Freeze = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: the summary, then the logs.")
    ] = False,
) -> None:
    """Run the laptop stack until Ctrl-C.

    `hooks send`, `hooks tail` and other commands find it in the same directory. `--keep` saves
    within about a second of each change; deliveries under way, jobs and public keys are not kept.

    Example: hooks dev --keep .hooks/state --port-base 9000
    """
    from hooks.interrupts import run_until_stopped
    from hooks.laptop.dev import serve

    run_until_stopped(serve(routes, port_base, keep, jobs=jobs, freeze=freeze, as_json=as_json))


@app.command()
def env(as_json: AsJson = False) -> None:
    """Print the variables with which any client finds the stack that runs in this directory.

    Example: eval "$(hooks env)"
    """
    from hooks.laptop.env import show

    show(as_json=as_json)


@app.command()
def send(
    event_type: Annotated[
        str,
        typer.Argument(
            metavar="TYPE",
            help="The event type, e.g. batch.succeeded.",
            autocompletion=event_types,
        ),
    ],
    scheme: Annotated[
        Scheme,
        typer.Option(help="v1: the registered webhook; v1a, jwt: a dynamic one; mixed: both."),
    ] = "v1",
    user_metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeatable.")
    ] = None,
    body: Annotated[
        Path | None, typer.Option(help="A file to send as the whole body; -: standard input.")
    ] = None,
    times: Annotated[int, typer.Option(help="Repeat N times.", min=1, max=1000)] = 1,
    forge: Annotated[
        str, typer.Option(metavar="KIND", help="Send a forged delivery; ? lists the kinds.")
    ] = "",
    at: Annotated[
        str,
        typer.Option(metavar="TIME", help="Timestamp: RFC 3339, Unix seconds, or e.g. -10m."),
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Also send a type that Gemini does not document.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send an event, as Gemini would, to the stack that runs in this directory.

    The exit status is 0 if the receiver accepts it, or refuses a forged one (--forge).
    """
    from hooks.laptop import send as sender

    event = sender.Event(
        type=event_type,
        scheme=scheme,
        user_metadata=user_metadata or [],
        body=body,
        times=times,
        forge=forge,
        at=at,
        unknown=force,
    )
    sent = sender.send(event)
    sender.show(sent, as_json=as_json)
    if not sent.as_wanted:
        raise typer.Exit(1)


@app.command()
def subscribe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The subscription's name.")],
    push: Annotated[
        str, typer.Option(metavar="URL", help="Have events posted there; default: pull.")
    ] = "",
    message_filter: Filter = "",
    dead_letter: Annotated[
        bool, typer.Option("--dead-letter", help="Set events aside after 100 failed attempts.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace one of that name that is different.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Subscribe to the events of the stack in this directory, as Terraform does in a deployment.

    It prints the entry that does the same there. The exit status is 1 if another subscription has
    that name.

    Example: hooks subscribe videos --filter 'attributes.ce-type = "video.generated"'
    """
    import asyncio

    from hooks.laptop.subscribe import Options
    from hooks.laptop.subscribe import subscribe as run

    options = Options(
        name=name,
        push=push,
        message_filter=message_filter,
        dead_letter=dead_letter,
        replace=replace,
    )
    asyncio.run(run(options, json=as_json))


@app.command()
@takes_target
def tail(
    event_types: Types = None,
    message_filter: Filter = "",
    topic: Annotated[
        str, typer.Option(help="events, ingress, dead-letter, or the name of a route.")
    ] = "events",
    count: Annotated[int, typer.Option(help="End after N events; 0: at Ctrl-C.", min=0)] = 0,
    payload: Payload = False,
    *,
    target: Target,
    as_json: AsJsonLines = False,
) -> None:
    """Show the events of the stack in this directory, or of a deployment, until Ctrl-C.

    It listens through a temporary subscription, which is deleted at the end.

    Example: hooks tail --type 'batch.*,video.generated' --outputs deployment.json
    """
    from hooks.interrupts import run_until_stopped
    from hooks.laptop import tail as tailer

    options = tailer.Options(
        topic=topic,
        types=globs(event_types),
        message_filter=message_filter,
        count=count,
        payload=payload,
        as_json=as_json,
    )
    run_until_stopped(tailer.tail(target.find(), options))


def _deploy_demo(variables: dict[str, str], *, verbose: bool, as_json: bool) -> None:
    import asyncio

    from hooks import console
    from hooks.laptop import deploy_demo

    shown = asyncio.run(deploy_demo.run(variables, verbose=verbose, as_json=as_json))
    if as_json:
        console.print_json(shown.facts())
    else:
        deploy_demo.show(shown)
    if not shown.holds:
        raise typer.Exit(1)


def _variables(entries: list[str]) -> dict[str, str]:
    from hooks.errors import UsageError

    found = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not name or not equals:
            raise UsageError(f"--var {entry!r} is not NAME=VALUE, for example name=staging")
        found[name] = value
    return found
