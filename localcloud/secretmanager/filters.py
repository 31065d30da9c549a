"""Filters of lists: `key:value` and `key=value`, joined by OR and AND.

A part of https://cloud.google.com/secret-manager/docs/filtering: the keys `name`, `state` and
`labels.KEY`, without quotes, negation and parentheses. As everywhere in Google's APIs, OR binds
more tightly than AND (https://google.aip.dev/160).
"""

import re
from collections.abc import Callable, Mapping

from localcloud.core.statuses import invalid

Properties = Mapping[str, str]
"""What can be filtered by: `name`, `state`, `labels.KEY`."""

_TERM = re.compile(r"(name|state|labels\.[a-z0-9_-]+)\s*([:=])\s*([A-Za-z0-9_.*/-]+)")


def compile_filter(text: str) -> Callable[[Properties], bool]:
    """Return what a filter asks of a secret or version; the empty one asks nothing."""
    clauses = [
        [_term(term) for term in re.split(r"\s+OR\s+", clause)]
        for clause in re.split(r"\s+AND\s+", text.strip())
        if clause
    ]
    return lambda properties: all(any(term(properties) for term in clause) for clause in clauses)


def _term(text: str) -> Callable[[Properties], bool]:
    found = _TERM.fullmatch(text.strip())
    if not found:
        raise invalid(
            f"Filter [{text[:256]}] is not understood: the embedded Secret Manager knows name, "
            "state and labels.KEY with ':' or '=', joined by AND and OR."
        )
    key, operator, wanted = found.groups()
    if operator == "=" or key == "state":
        return lambda properties: properties.get(key) == wanted
    if wanted == "*":
        return lambda properties: key in properties
    return lambda properties: wanted in properties.get(key, "")
