"""The text form of a signing secret, `whsec_` and base64 (Standard Webhooks 1.0.0)."""

import base64

SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix
EXAMPLE_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the specification's own

# Standard Webhooks asks for 24 to 64 bytes; what Gemini issues is not documented, so the bounds
# only keep out what could be guessed and what cannot be a secret.
_SHORTEST, _LONGEST = 16, 512


def parse_secret(text: str) -> bytes:
    """Return the key that `whsec_<base64>` stands for.

    Padding may be absent, as the reference libraries allow. Raises `ValueError`, whose message
    never repeats the text, for anything else that is not exactly base64 of 16 to 512 bytes.
    """
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"does not begin with {SECRET_PREFIX}")
    try:
        key = _decode(text.removeprefix(SECRET_PREFIX))
    except ValueError:
        raise ValueError(f"is not base64 after {SECRET_PREFIX}") from None
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"does not hold {_SHORTEST} to {_LONGEST} bytes")
    return key


def _decode(encoded: str) -> bytes:
    digits = encoded.rstrip("=")
    padded = digits + "=" * (-len(digits) % 4)
    if encoded not in (digits, padded):
        # How much padding is too much, no two versions of Python agree.
        raise ValueError("excess padding")
    return base64.b64decode(padded, validate=True)
