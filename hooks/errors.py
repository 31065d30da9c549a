"""The command's one tree of errors: each message says what happened and what to do about it."""

from collections.abc import Sequence


class HooksError(Exception):
    """Base of every error that `hooks` shows without a traceback.

    `exit_code` is what the command ends with.
    """

    exit_code = 1


class UsageError(HooksError):
    """What was asked for cannot be done as it was asked."""

    exit_code = 2


class StartFailed(HooksError):
    """A function, or the process around it, did not start.

    `name` is the function's; `output` holds the last lines that it wrote.
    """

    def __init__(self, name: str, problem: str, output: Sequence[str] = ()) -> None:
        said = "".join(f"\n  {line}" for line in output)
        super().__init__(f"{name} did not start: {problem}{said}")
        self.name = name
        self.output = tuple(output)


class NoStack(HooksError):
    """No laptop stack runs beside this command."""


class DoesNotAddUp(HooksError):
    """What arrived is not what was sent."""
