"""Texts out of a body, made fit for a message's attributes and a document's fields."""

import re
from collections.abc import Iterator, Mapping

# Characters that CloudEvents bars from its strings.
# https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#type-system
_BARRED = re.compile(r"[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")


class Number(str):
    """A number exactly as the body writes it, of any size."""

    __slots__ = ()


def text(value: object) -> str | None:
    """Return a scalar as text: a string, a number as written, true or false; else None."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else None


def scalars(entries: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the scalar entries of an object, clean."""
    for key, value in entries.items():
        scalar = text(value)
        if scalar is not None:
            yield clean(key), clean(scalar)


def clean(given: str) -> str:
    """Return a text without the characters that a CloudEvents string may not hold."""
    # JSON can escape a lone surrogate; Pub/Sub takes UTF-8 only.
    return _BARRED.sub("", given.encode("utf-8", "replace").decode())


def shorten(given: str, limit: int) -> str:
    """Return as much of a text as `limit` bytes of UTF-8 hold."""
    return given.encode()[:limit].decode("utf-8", "ignore")
