"""The command's errors. Each message says what happened and what to do about it."""

from localcloud.core.errors import LocalCloudError


class HooksError(LocalCloudError):
    """Base of the command's errors; it shares its own base with the errors of a stack."""


class UsageError(HooksError):
    """The command cannot do what its options ask for."""

    exit_code = 2


class NoStack(HooksError):
    """No laptop stack runs in this directory."""
