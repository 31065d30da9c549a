"""Checking events against `schemas/`."""

import json

from jsonschema import Draft202012Validator

from localcloud.gemini.catalogue import SCHEMAS

_VALIDATORS = {name: Draft202012Validator(schema) for name, schema in SCHEMAS.items()}


def check_event(event_type: str, body: bytes) -> None:
    """Raise `jsonschema.ValidationError` if a body is not what its type's schema says.

    The catalogue is open: of a type that it does not know, any body will do.
    """
    if event_type in _VALIDATORS:
        _VALIDATORS[event_type].validate(json.loads(body))
