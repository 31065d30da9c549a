"""Reading Pub/Sub's filter language.

Implements https://cloud.google.com/pubsub/docs/subscription-message-filter: `attributes:key`,
`attributes.key = "value"`, `attributes.key != "value"`, `hasPrefix(attributes.key, "prefix")`,
`NOT` (or `-`), `AND`, `OR` and parentheses. `AND` and `OR` may be combined only with parentheses.
Keys of other characters than letters, digits, hyphens and underscores are written as strings.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from localcloud.pubsub.filters import And, Equals, Everything, Filter, Has, HasPrefix, Not, Or

MAX_FILTER_BYTES = 256


class FilterSyntaxError(ValueError):
    """The text is not a filter; the message says what is wrong, and where."""


def parse_filter(text: str) -> Filter:
    """Return the filter that a subscription's `filter` field states.

    Raises `FilterSyntaxError` where the service would refuse it.
    """
    if not text:
        return Everything()
    if len(text.encode()) > MAX_FILTER_BYTES:
        raise FilterSyntaxError(f"a filter may have at most {MAX_FILTER_BYTES} bytes")
    return _Parser(text).parse()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int


_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<word>[A-Za-z0-9_][A-Za-z0-9_-]*)
      | (?P<symbol>!=|[=:().,-])""",
    re.VERBOSE | re.DOTALL,
)
_OPERATORS: dict[str, type[And | Or]] = {"AND": And, "OR": Or}
_RESERVED = frozenset({*_OPERATORS, "NOT"})


def _tokens(text: str) -> list[_Token]:
    tokens = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterSyntaxError(f"unexpected {text[position]!r} at position {position}")
        if match.lastgroup != "space":
            tokens.append(_Token(str(match.lastgroup), match.group(), position))
        position = match.end()
    return [*tokens, _Token("end", "the end", len(text))]


class _Parser:
    """Recursive descent over the tokens; a filter's length bounds its depth."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def parse(self) -> Filter:
        found = self._expression()
        if self._next.kind != "end":
            self._fail("AND, OR or the end")
        return found

    def _expression(self) -> Filter:
        conditions = [self._term()]
        operator = self._next.text
        if operator not in _OPERATORS:
            return conditions[0]
        while self._accept(operator):
            conditions.append(self._term())
        if self._next.text in _OPERATORS:
            raise FilterSyntaxError(
                f"AND and OR need parentheses to be combined, at position {self._next.start}"
            )
        return _OPERATORS[operator](tuple(conditions))

    def _term(self) -> Filter:
        negated = False
        while self._accept("NOT") or self._accept("-"):
            negated = not negated
        if self._accept("("):
            found = self._expression()
            self._expect(")")
        else:
            found = self._restriction()
        return Not(found) if negated else found

    def _restriction(self) -> Filter:
        if self._accept("hasPrefix"):
            return self._has_prefix()
        self._expect("attributes")
        if self._accept(":"):
            return Has(self._key())
        key = self._member()
        if self._accept("!="):
            return Not(Equals(key, self._string()))
        self._expect("=")
        return Equals(key, self._string())

    def _has_prefix(self) -> Filter:
        self._expect("(")
        self._expect("attributes")
        key = self._member()
        self._expect(",")
        found = HasPrefix(key, self._string())
        self._expect(")")
        return found

    def _member(self) -> str:
        self._expect(".")
        return self._key()

    def _key(self) -> str:
        token = self._next
        if token.kind == "string":
            return self._string()
        if token.kind != "word" or token.text in _RESERVED:
            self._fail("an attribute's key")
        self._at += 1
        return token.text

    def _string(self) -> str:
        token = self._next
        if token.kind != "string":
            self._fail('a string in double quotes ("…")')
        self._at += 1
        return _unescape(token)

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _accept(self, text: str) -> bool:
        accepted = self._next.kind in {"word", "symbol"} and self._next.text == text
        self._at += accepted
        return accepted

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            self._fail(text)

    def _fail(self, wanted: str) -> NoReturn:
        token = self._next
        raise FilterSyntaxError(f"expected {wanted} at position {token.start}, found {token.text}")


_ESCAPE = re.compile(
    r"""\\(?: (?P<plain>[abfnrtv\\'"?`])
          | x(?P<hex>[0-9A-Fa-f]{2})
          | (?P<octal>[0-3][0-7]{2})
          | u(?P<short>[0-9A-Fa-f]{4})
          | U(?P<long>[0-9A-Fa-f]{8})
          | (?P<unknown>.?) )""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _unescape(token: _Token) -> str:
    def replace(match: re.Match[str]) -> str:
        plain, octal = match["plain"], match["octal"]
        code = match["hex"] or match["short"] or match["long"]
        if plain is not None:
            return _PLAIN.get(plain, plain)
        if octal is not None:
            return chr(int(octal, 8))
        if code is not None and int(code, 16) <= _LAST_CODE_POINT:
            return chr(int(code, 16))
        raise FilterSyntaxError(f"unknown escape {match.group()} at position {token.start}")

    return _ESCAPE.sub(replace, token.text[1:-1])


_LAST_CODE_POINT = 0x10FFFF
