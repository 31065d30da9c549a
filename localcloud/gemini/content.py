"""What a file holds: some bytes, or a block of them over and over, so that size costs no memory."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Content:
    """`block` repeated and cut off at `size` bytes."""

    block: bytes
    size: int

    @classmethod
    def of(cls, data: bytes) -> "Content":
        """Return these very bytes."""
        return cls(data, len(data))

    @classmethod
    def filler(cls, size: int) -> "Content":
        """Return so many bytes that do not compress; the same for each size."""
        return cls(random.Random(size).randbytes(_BLOCK), size)  # noqa: S311 - not a secret

    def chunks(self) -> Iterator[bytes]:
        """Yield everything in pieces of at most a mebibyte."""
        if not self.block:
            return
        whole, rest = divmod(self.size, len(self.block))
        for piece in (*[self.block] * whole, self.block[:rest]):
            for start in range(0, len(piece), _BLOCK):
                yield piece[start : start + _BLOCK]

    def digest(self) -> bytes:
        """Return the SHA-256 of everything."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.digest()
