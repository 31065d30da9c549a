"""Reading a few values out of a JSON document of any size, as it arrives.

A batch of inline requests has its results inside the answer that says how it stands, and answers of
about 1 GB were reported. Gemini's API has no field masks, so the answer is read in pieces, and of
each object only the members that are asked for are kept.
"""

import json
import re
from collections.abc import Collection
from typing import Any

LARGEST_KEPT = 4 << 20
"""Bytes of the values that are kept, together."""

# Complete strings, and whatever is neither a quote nor a bracket.
_FLAT = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_BETWEEN = re.compile(rb'[^"{}\[\]]*')
_WITHIN = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_BRACKETS = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}


class Skimmer:
    """Parses one document; an object's members are kept if their names are among `names`.

    Members and elements inside a value that is not kept are skipped unread. `feed` and `result`
    raise `ValueError` for what is not JSON, and where more than `LARGEST_KEPT` bytes would be kept.
    What is skipped is not checked to be JSON beyond its brackets and quotes.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        # The root is the only element of a list around it.
        self._root: list[Any] = []
        self._open: list[Any] = [self._root]
        self._member: str | None = None
        self._skipped = 0
        self._text = bytearray()
        self._quoted = False
        self._escaped = False
        self._between = b""
        self._kept = 0

    def feed(self, data: bytes) -> None:
        """Parse the next piece of the document."""
        position = 0
        while position < len(data):
            if self._quoted:
                position = self._string(data, position)
            elif self._skipped:
                position = self._skip(data, position)
            else:
                position = self._token(data, position)

    def result(self) -> Any:
        """Return the document, once all of it is parsed."""
        self._scalars()
        if self._quoted or len(self._open) > 1 or len(self._root) != 1:
            raise ValueError("the document is cut short")
        return self._root[0]

    def _token(self, data: bytes, position: int) -> int:
        end = _BETWEEN.match(data, position).end()  # type: ignore[union-attr] # matches nothing too
        self._between += data[position:end]
        self._keep(end - position)
        if end == len(data):
            return end
        self._scalars()
        mark = data[end : end + 1]
        if mark == b'"':
            self._quoted = True
        elif mark in b"{[":
            self._enter({} if mark == b"{" else [])
        else:
            self._leave(dict if mark == b"}" else list)
        return end + 1

    def _skip(self, data: bytes, position: int) -> int:
        end = _FLAT.match(data, position).end()  # type: ignore[union-attr] # matches nothing too
        if end == len(data):
            return end
        mark = data[end : end + 1]
        if mark == b'"':
            # It goes on in the next piece.
            self._quoted = True
        else:
            self._skipped += _BRACKETS[mark]
        return end + 1

    def _string(self, data: bytes, position: int) -> int:
        start = position
        if self._escaped:
            self._escaped = False
            position += 1
        end = _WITHIN.match(data, position).end()  # type: ignore[union-attr] # matches nothing too
        if end < len(data) and data[end] == 0x5C:
            self._escaped = True
            end += 1
        if not self._skipped and self._wanted_text():
            self._keep(end - start)
            self._text += data[start:end]
        if end < len(data):
            self._end_string()
            end += 1
        return end

    def _wanted_text(self) -> bool:
        # A member's name, or a value that has a place.
        inside = self._open[-1]
        return isinstance(inside, list) or self._member is None or self._member in self._names

    def _end_string(self) -> None:
        text = b'"%b"' % bytes(self._text)
        self._text.clear()
        self._quoted = False
        if self._skipped:
            return
        inside = self._open[-1]
        if isinstance(inside, dict) and self._member is None:
            self._member = json.loads(text)
        elif self._wanted_text():
            self._place(json.loads(text))
        else:
            self._member = None

    def _scalars(self) -> None:
        """Place the numbers and words between two marks."""
        between, self._between = self._between, b""
        for part in between.split(b","):
            text = part.strip().removeprefix(b":").strip()
            if text:
                self._place(json.loads(text))

    def _place(self, value: Any) -> None:
        inside, member = self._open[-1], self._member
        if isinstance(inside, list):
            inside.append(value)
            return
        if member is None:
            raise ValueError("a member has no name")
        self._member = None
        if member in self._names:
            inside[member] = value

    def _enter(self, container: Any) -> None:
        if isinstance(self._open[-1], dict) and self._member not in self._names:
            self._member = None
            self._skipped = 1
            return
        self._place(container)
        self._open.append(container)

    def _leave(self, kind: type) -> None:
        if not isinstance(self._open[-1], kind) or len(self._open) == 1:
            raise ValueError("a bracket closes nothing")
        if self._member is not None:
            raise ValueError("a member has no value")
        self._open.pop()

    def _keep(self, size: int) -> None:
        self._kept += size
        if self._kept > LARGEST_KEPT:
            raise ValueError("the values to keep are too large")
