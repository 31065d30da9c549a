"""Which addresses Gemini delivers to."""

import ipaddress
from urllib.parse import urlsplit

from localcloud.gemini.errors import GoogleError

_MAX_LENGTH = 2048


def check_uri(value: object) -> str:
    """Return an endpoint's URI: https, or http on a loopback address, where the laptop lives."""
    if not isinstance(value, str) or not value or len(value) > _MAX_LENGTH:
        raise GoogleError(400, f"uri must be a string of 1 to {_MAX_LENGTH} characters.")
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
        secure = parts.scheme == "https" or (parts.scheme == "http" and _loopback(host))
        valid = bool(host) and parts.port != 0 and value.isascii() and value.isprintable()
    except ValueError:
        raise GoogleError(400, f"uri {value!r} is not a URI.") from None
    if not valid or " " in value:
        raise GoogleError(400, f"uri {value!r} is not a URI.")
    if not secure:
        raise GoogleError(400, f"uri {value!r} must use https.")
    return value


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
