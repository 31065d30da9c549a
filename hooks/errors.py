"""The command's one tree of errors: each message says what happened and what to do about it."""

from localcloud.core.errors import LocalCloudError


class HooksError(LocalCloudError):
    """Base of the command's own errors; those of the stack that it runs have the same base."""


class UsageError(HooksError):
    """What was asked for cannot be done as it was asked."""

    exit_code = 2


class NoStack(HooksError):
    """No laptop stack runs beside this command."""


class DoesNotAddUp(HooksError):
    """What arrived is not what was sent."""
