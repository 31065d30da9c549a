"""The relay's one tree of errors; members carry what a caller needs as attributes."""


class RelayError(Exception):
    """Base of every error that the relay raises on purpose."""


class ConfigurationError(RelayError):
    """An environment variable is missing or wrong, so the function must not start.

    The message names the variable, what is wrong with its value, and shows an example.
    It never contains the value itself, which may be a secret.
    """

    def __init__(self, variable: str, problem: str, *, example: str) -> None:
        super().__init__(f"{variable} {problem}; for example {variable}={example}")
        self.variable = variable
        self.problem = problem


class Refused(RelayError):
    """A request is refused: sending the same again cannot succeed.

    `status` is the HTTP status to answer; `reason` is a short constant for logs and metrics,
    which is never sent to the caller.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Unavailable(RelayError):
    """Something needed is out of reach for now: answer 503, and the sender retries."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PublishUnavailable(Unavailable):
    """Pub/Sub did not confirm a message: full queue, transient refusal, or deadline."""


class SecretManagerError(RelayError):
    """Secret Manager refused a call or did not answer; the call may have had its effect.

    `status` is the name of the gRPC status, or of what failed without one.
    """

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class VersionMissing(SecretManagerError):
    """There is no such version, or no such secret."""


class VersionInactive(SecretManagerError):
    """The version is disabled or destroyed."""


class GeminiRefused(RelayError):
    """Gemini refused a call, or gave no usable answer; the call may have had its effect.

    `reason` is a sentence without any secret, `status` the HTTP status if there was one, `code`
    what Google calls the error, such as `API_KEY_INVALID` or `NOT_FOUND`, if it does.
    """

    def __init__(self, reason: str, status: int | None = None, code: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.code = code

    @property
    def key_refused(self) -> bool:
        """Whether it is the API key that Gemini refuses, so that no other call can succeed."""
        return self.status in {401, 403} or (self.status, self.code) == (400, "API_KEY_INVALID")


class Poison(RelayError):
    """An authentic message that can never succeed: it belongs in the dead-letter topic.

    `reason` is a short constant, published as the dead letter's `reason` attribute.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class PublishRefused(Poison):
    """Pub/Sub answered `INVALID_ARGUMENT`: publishing this message again cannot succeed."""

    REASON = "publish-refused"

    def __init__(self, detail: str) -> None:
        super().__init__(self.REASON, detail)
