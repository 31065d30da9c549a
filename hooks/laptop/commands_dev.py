"""`hooks dev`: the laptop stack, kept running."""

from typing import Annotated

import typer


def dev(
    routes: Annotated[
        str, typer.Option(help="The dispatcher's ROUTES: JSON, or the path of a JSON file.")
    ] = "",
    port: Annotated[
        int, typer.Option(help="Where the receiver listens; 0: a free port.", min=0, max=65535)
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: the summary, then the logs.")
    ] = False,
) -> None:
    """Run the laptop stack until Ctrl-C.

    `hooks send` and `hooks tail` work beside it, from the same directory.
    """
    from hooks.laptop import dev as developing
    from hooks.running import run_until_stopped

    run_until_stopped(developing.serve(routes, port, as_json=as_json))
