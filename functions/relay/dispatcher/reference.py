"""Which job an event is about, and what it says of the job's error."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from relay.dispatcher.texts import clean, shorten, text
from relay.jobs import names

_MAX_BYTES = 1024

_NAMING = ("id", "file_id", "file_name", "video_uri", "output_file_uri")
_ERROR = {"code": "error_code", "message": "error_message"}


@dataclass(frozen=True)
class Reference:
    """The job that an event is about, as the event has it.

    `kind` is empty for an event that is matched by `relay_job` alone. `name` is in the form in
    which the event writes it. `identified` says that the event bears a `relay_job`; `identity` is
    the id and the token in it, None if it is malformed. `subject` is the event's `ce-subject`.
    """

    kind: str = ""
    name: str = ""
    subject: str = ""
    identified: bool = False
    identity: tuple[str, str] | None = field(default=None, repr=False)
    error: Mapping[str, str] = field(default_factory=dict)


def read(
    event_type: str, data: Mapping[str, object], metadata: Iterable[Mapping[str, object]]
) -> Reference:
    """Return the reference in an event's `data` and in its objects `user_metadata`, best first."""
    naming = {field: clean(text(data.get(field)) or "") for field in _NAMING}
    given = [each[names.RELAY_JOB] for each in metadata if names.RELAY_JOB in each]
    error = {name: clean(text(data.get(field)) or "") for name, field in _ERROR.items()}
    return Reference(
        kind=names.event_kind(event_type),
        name=shorten(names.event_name(naming), _MAX_BYTES),
        subject=shorten(names.event_subject(naming), _MAX_BYTES),
        identified=bool(given),
        identity=next(filter(None, map(names.parse_relay_job, given)), None),
        error={name: shorten(said, _MAX_BYTES) for name, said in error.items() if said},
    )
