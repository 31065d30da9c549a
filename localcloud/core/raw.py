"""Raw protobuf messages for the type checker: the methods of their base, and any field.

The client libraries wrap their messages in proto-plus; what travels, and what an emulator stores,
is the raw message underneath, whose classes are made at run time.
"""

from typing import TYPE_CHECKING, Any, Self

from google.protobuf.message import Message

if TYPE_CHECKING:

    class RawMessage(Message):
        """A message of which only the name is known to the type checker."""

        def __init__(self, **fields: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...
        @classmethod
        def FromString(cls, data: bytes) -> Self: ...  # noqa: N802
        def ClearField(self, field_name: str) -> None: ...  # noqa: N802 - protobuf's own names
        def CopyFrom(self, other_msg: Message) -> None: ...  # noqa: N802
        def HasField(self, field_name: str) -> bool: ...  # noqa: N802
        def ListFields(self) -> list[tuple[Any, Any]]: ...  # noqa: N802
        def MergeFrom(self, other_msg: Message) -> None: ...  # noqa: N802
        def SerializeToString(self, **kwargs: Any) -> bytes: ...  # noqa: N802
        def WhichOneof(self, oneof_group: str) -> Any: ...  # noqa: N802

    class Empty(RawMessage):
        """A reply that says nothing."""

    class Timestamp(RawMessage):
        """A time in seconds and nanoseconds since the epoch, UTC."""

else:
    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.timestamp_pb2 import Timestamp

__all__ = ["Empty", "Message", "Timestamp"]


def micros(time: Timestamp) -> int:
    """Return a timestamp in microseconds since the epoch."""
    return int(time.seconds) * 1_000_000 + int(time.nanos) // 1000


def timestamp(time: int) -> Timestamp:
    """Return microseconds since the epoch as a timestamp."""
    seconds, rest = divmod(time, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)
