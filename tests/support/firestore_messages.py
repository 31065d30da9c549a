"""Firestore's raw messages from plain Python, for tests that call the emulator's parts directly."""

from typing import Any

from google.cloud.firestore_v1._helpers import encode_value

from localcloud.firestore.messages import Document, Value

DATABASE = "projects/p/databases/(default)"
ROOT = f"{DATABASE}/documents"


def value(plain: Any) -> Value:
    encoded: Value = encode_value(plain)._pb
    return encoded


def document(path: str, fields: dict[str, Any] | None = None) -> Document:
    encoded = {name: value(plain) for name, plain in (fields or {}).items()}
    return Document(name=f"{ROOT}/{path}", fields=encoded)
