"""Protobuf classes that the client library does not name, and methods that are only refused."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import empty_pb2
from google.protobuf.message_factory import GetMessageClass

from localcloud.core.rpc import Method, Service
from localcloud.pubsub.errors import not_imitated

Empty: Any = GetMessageClass(empty_pb2.DESCRIPTOR.message_types_by_name["Empty"])


def refused(requests: Mapping[str, Any]) -> Service:
    """Return methods, by the types of their requests, each of which is refused by its name."""

    def method(name: str, request: Any) -> Method:
        async def refuse(_request: Any) -> Any:
            raise not_imitated(name)

        return Method("unary_unary", request.pb(), Empty, refuse)

    return {name: method(name, request) for name, request in requests.items()}
