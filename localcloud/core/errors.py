"""The errors of the laptop's services; each message says what happened and what to do."""

from collections.abc import Sequence


class LocalCloudError(Exception):
    """Base of every error that is shown without a traceback; `exit_code` is the command's."""

    exit_code = 1


class OptionError(LocalCloudError):
    """The stack cannot run with the options that it is given."""

    exit_code = 2


class StartFailed(LocalCloudError):
    """A function, or the process around it, did not start.

    `name` is the function's; `output` holds the last lines that it wrote.
    """

    def __init__(self, name: str, problem: str, output: Sequence[str] = ()) -> None:
        said = "".join(f"\n  {line}" for line in output)
        super().__init__(f"{name} did not start: {problem}{said}")
        self.name = name
        self.output = tuple(output)
