"""What a verifier needs of keys, wherever they come from."""

from typing import Any, Protocol, TypeVar

Keys = TypeVar("Keys")


class KeySource(Protocol[Keys]):
    """Where keys come from; see `relay.keys.cache.KeyCache`."""

    def known(self) -> Keys | None:
        """Return the keys at hand, without waiting."""
        ...

    async def first(self) -> Keys:
        """Return the keys, waiting if none are at hand; raises `Unavailable`."""
        ...

    async def newer(self, seen: Keys) -> Keys | None:
        """Return newer keys than `seen`, if there are any to be had."""
        ...


class FixedKeys:
    """A `KeySource` of keys that never change, such as secrets from the environment."""

    def __init__(self, keys: Any) -> None:
        self._keys = keys

    def known(self) -> Any:
        """Return the keys."""
        return self._keys

    async def first(self) -> Any:
        """Return the keys."""
        return self._keys

    async def newer(self, _seen: object) -> None:
        """Return None: there are no others."""
