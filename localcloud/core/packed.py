"""Protobuf messages inside JSON documents."""

import base64

from google.protobuf.message import Message


def packed(message: Message) -> str:
    """Return a message as text."""
    return packed_bytes(message.SerializeToString())


def packed_bytes(content: bytes) -> str:
    """Return bytes as text."""
    return base64.b64encode(content).decode()


def unpacked(text: str) -> bytes:
    """Return the bytes that were packed; raises `ValueError`."""
    return base64.b64decode(text, validate=True)
