"""Checking events against `schemas/`.

jsonschema is imported on first use: it takes seconds, of which few tests have a need.
"""

import functools
import json
from typing import TYPE_CHECKING

from localcloud.gemini.catalogue import SCHEMAS

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


@functools.cache
def validator(event_type: str) -> "Draft202012Validator":
    """Return the validator of a type of the catalogue; raises `SchemaError` for a bad schema."""
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(SCHEMAS[event_type])
    return Draft202012Validator(SCHEMAS[event_type])


def check_event(event_type: str, body: bytes) -> None:
    """Raise `jsonschema.ValidationError` if a body is not what its type's schema says.

    The catalogue is open: of a type that it does not know, any body will do.
    """
    if event_type in SCHEMAS:
        validator(event_type).validate(json.loads(body))
