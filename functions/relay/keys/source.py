"""What a verifier needs of keys, wherever they come from."""

from typing import Any, Protocol, TypeVar

Keys = TypeVar("Keys")


class KeySource(Protocol[Keys]):
    """Where keys come from; see `relay.keys.cache.KeyCache`."""

    def fresh(self) -> Keys | None:
        """Return the keys at hand within their lifetime, without waiting."""
        ...

    async def current(self) -> Keys:
        """Return the keys, refreshed before if their lifetime is over; raises `Unavailable`."""
        ...

    async def newer(self, seen: Keys) -> Keys | None:
        """Return newer keys than `seen`, if there are any to be had."""
        ...


class FixedKeys:
    """A `KeySource` of keys that never change, such as secrets from the environment."""

    def __init__(self, keys: Any) -> None:
        self._keys = keys

    def fresh(self) -> Any:
        """Return the keys."""
        return self._keys

    async def current(self) -> Any:
        """Return the keys."""
        return self._keys

    async def newer(self, _seen: object) -> None:
        """Return None: there are no others."""
