"""Lists in pages."""

from collections.abc import Iterable

from localcloud.pubsub.errors import invalid

MAX_PAGE_SIZE = 1000


def page(names: Iterable[str], size: int, token: str) -> tuple[list[str], str]:
    """Return up to `size` names after the one that `token` is, in order, and the next token.

    A size of 0 means the largest. Raises `RpcError` (`INVALID_ARGUMENT`) for a negative one.
    """
    if size < 0:
        raise invalid(f"The page_size must not be negative; it is {size}.")
    size = min(size or MAX_PAGE_SIZE, MAX_PAGE_SIZE)
    rest = sorted(name for name in names if name > token)
    return rest[:size], rest[size - 1] if len(rest) > size else ""
