"""The protobuf class that the API borrows from elsewhere and its client library does not name."""

from typing import Any

from google.protobuf import empty_pb2
from google.protobuf.message_factory import GetMessageClass

Empty: Any = GetMessageClass(empty_pb2.DESCRIPTOR.message_types_by_name["Empty"])
