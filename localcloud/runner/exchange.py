"""Whether a connection has a request in flight, by what passes over it in both directions.

HTTP/1.1 framing (RFC 9112, section 6) as far as answers of a function have it: by their length, or
without a body. Where that does not tell, a request counts as in flight until the connection ends.
"""

import re
from collections import deque

import httptools

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)


class Exchange:
    """Follows one connection; both methods take the bytes in the order in which they pass."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._arriving = self._ended = False
        # One entry for each request without an answer: whether it is HEAD.
        self._unanswered: deque[bool] = deque()
        self._answer = b""
        self._body_left = 0
        self._until_end = False

    @property
    def in_flight(self) -> bool:
        """Tell whether a request has begun that is not answered, or whose rest is yet to come."""
        return self._until_end or self._arriving or bool(self._unanswered)

    def last_until_end(self) -> None:
        """Take a request for in flight until the connection ends."""
        self._until_end = True

    def sent(self, data: bytes) -> None:
        """Follow what goes to the function."""
        if self._until_end:
            return
        self._ended = False
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # The function's server, whose parser this is, ends such a connection.
            self.last_until_end()
        # Line ends before a request, which the parser skips, belong to its head.
        self._arriving = self._arriving or not (self._ended or self._unanswered)

    def received(self, data: bytes) -> None:
        """Follow what comes from the function."""
        self._answer += data
        while self._answer and not self._until_end:
            if self._body_left:
                taken = min(self._body_left, len(self._answer))
                self._body_left -= taken
                self._answer = self._answer[taken:]
                self._end_of_body()
            elif not self._read_head():
                return
        if self._until_end:
            self._answer = b""

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        self._arriving = True

    def on_headers_complete(self) -> None:
        """Note that a request may be answered from now on."""
        self._unanswered.append(self._parser.get_method() == b"HEAD")
        if self._parser.get_http_version() == "1.0" or not self._parser.should_keep_alive():
            self.last_until_end()

    def on_message_complete(self) -> None:
        """Note that a request has ended."""
        self._arriving = False
        self._ended = True

    def _read_head(self) -> bool:
        head, end, rest = self._answer.partition(_END)
        if not end:
            return False
        self._answer = rest
        status, fields = int(head[9:12]), head + b"\r\n"
        if status < 200:
            return True
        length = _LENGTH.search(fields)
        empty = status in (204, 304) or (bool(self._unanswered) and self._unanswered[0])
        if not self._unanswered or _CLOSE.search(fields) or not (length or empty):
            self.last_until_end()
            return True
        self._body_left = int(length[1]) if length and not empty else 0
        self._end_of_body()
        return True

    def _end_of_body(self) -> None:
        if not self._body_left:
            self._unanswered.popleft()
