"""`hooks deploy --local`: the real Terraform, applied to a local cloud."""

from typing import Annotated

import typer

from hooks.options import AsJsonLines


def deploy(
    local: Annotated[
        bool, typer.Option("--local", help="Against a local cloud; the only way so far.")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Apply, send, plan, destroy; then a verdict.")
    ] = False,
    var: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A variable of infra/; may be given again."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="All that Terraform says, its plan included.")
    ] = False,
    as_json: AsJsonLines = False,
) -> None:
    """Apply infra/ to a local cloud with the real Terraform, and keep it running until Ctrl-C.

    `hooks send` and `hooks tail` work beside it, from the same directory. In a project of your own,
    `terraform apply` in infra/ does the same.
    """
    from hooks.errors import UsageError

    if not local:
        raise UsageError(
            "hooks deploys to a local cloud only: hooks deploy --local. For a project of your own, "
            "run terraform apply in infra/ (docs/deploy.md)"
        )
    variables = _variables(var or [])
    if demo:
        _rehearse(variables, verbose=verbose, as_json=as_json)
        return
    from hooks.laptop import deploy as deploying
    from hooks.running import run_until_stopped

    run_until_stopped(deploying.serve(variables, verbose=verbose, as_json=as_json))


def _rehearse(variables: dict[str, str], *, verbose: bool, as_json: bool) -> None:
    import asyncio

    from hooks import console
    from hooks.laptop import rehearsal

    shown = asyncio.run(rehearsal.rehearse(variables, verbose=verbose, as_json=as_json))
    if as_json:
        console.print_json(shown.facts())
    else:
        rehearsal.show(shown)
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
