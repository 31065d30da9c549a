"""The messages of Pub/Sub's `Publish`, as raw protobuf classes.

`google.pubsub_v1` defines them too, but importing it loads every client of Pub/Sub, which takes as
long as the whole framework does: a cold start would be half as long again. A test compares these
with the library's, field by field.

https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#publishrequest
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# Made at run time, like every class of protobuf's: nothing that a type checker could see.
_pb: Any = descriptor_pb2
_Field = _pb.FieldDescriptorProto
_PACKAGE = "google.pubsub.v1"


def _field(name: str, number: int, kind: int, *, repeated: bool = False, of: str = "") -> Any:
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    type_name = f".{_PACKAGE}.{of}" if of else None
    return _Field(name=name, number=number, type=kind, label=label, type_name=type_name)


def _file() -> Any:
    file = _pb.FileDescriptorProto(name="relay/pubsub.proto", package=_PACKAGE, syntax="proto3")
    message = file.message_type.add(name="PubsubMessage")
    message.field.append(_field("data", 1, _Field.TYPE_BYTES))
    attributes = message.nested_type.add(name="AttributesEntry")
    attributes.options.map_entry = True
    attributes.field.append(_field("key", 1, _Field.TYPE_STRING))
    attributes.field.append(_field("value", 2, _Field.TYPE_STRING))
    entry = "PubsubMessage.AttributesEntry"
    message.field.append(_field("attributes", 2, _Field.TYPE_MESSAGE, repeated=True, of=entry))

    request = file.message_type.add(name="PublishRequest")
    request.field.append(_field("topic", 1, _Field.TYPE_STRING))
    messages = _field("messages", 2, _Field.TYPE_MESSAGE, repeated=True, of="PubsubMessage")
    request.field.append(messages)

    response = file.message_type.add(name="PublishResponse")
    response.field.append(_field("message_ids", 1, _Field.TYPE_STRING, repeated=True))
    return file


def _classes() -> dict[str, Any]:
    # A pool of its own: the library's file of the same package may be loaded beside it.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in ("PublishRequest", "PublishResponse")
    }


PublishRequest, PublishResponse = _classes().values()

PUBLISH = f"/{_PACKAGE}.Publisher/Publish"
"""The method's full name."""
