"""Structured logs: one JSON object a line on standard output, as Cloud Logging reads them.

https://cloud.google.com/logging/docs/structured-logging
"""

import json
import sys
from typing import Literal

Severity = Literal["DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL"]


def log(severity: Severity, message: str, **fields: object) -> None:
    """Write one entry. `message` is a constant; what varies goes into `fields`.

    Callers never pass a secret, a signature, a token or a payload.
    """
    entry = {"severity": severity, "message": message, **fields}
    sys.stdout.write(json.dumps(entry, default=str, separators=(",", ":")) + "\n")
    sys.stdout.flush()
