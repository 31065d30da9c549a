"""Identifiers the way Gemini makes them: opaque, lower case, without structure."""

import secrets
import string

_ALPHABET = string.ascii_lowercase + string.digits


def new_id(length: int = 36) -> str:
    """Return a random identifier."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
