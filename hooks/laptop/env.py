"""What `hooks env` does: it prints the variables with which clients find the running stack."""

import shlex
from collections.abc import Mapping

from hooks import console, stackfile


def show(*, as_json: bool) -> None:
    """Print the variables of the stack in this directory; raises `NoStack`."""
    variables = stackfile.find().variables
    if as_json:
        console.print_json(variables)
    else:
        console.out.print(exports(variables), markup=False)


def exports(variables: Mapping[str, str], *, indent: str = "") -> str:
    """Return lines that a POSIX shell evaluates."""
    return "\n".join(
        f"{indent}export {name}={shlex.quote(value)}" for name, value in variables.items()
    )
