"""Verifies deliveries: which schemes and keys are tried, and when newer keys are loaded."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from relay.errors import Refused, Unavailable
from relay.keys.source import KeySource
from relay.receiver.delivery import Delivery
from relay.receiver.signatures import Outcome, Scheme, Verified
from relay.receiver.signatures.entries import parse_entries


@dataclass(frozen=True)
class Enabled:
    """A scheme that is accepted, and the source of its keys."""

    scheme: Scheme[Any]
    source: KeySource[Any]


@dataclass(frozen=True, slots=True)
class _Attempt:
    enabled: Enabled
    entries: Sequence[bytes]
    seen: Any


class Verifier:
    """Verifies deliveries by the schemes that are enabled, the cheapest first.

    One entry that verifies is enough. Keys within their lifetime are tried before anything waits
    for others, and newer keys are asked for only when nothing verifies.
    """

    def __init__(self, enabled: Sequence[Enabled], *, known: Sequence[str] = ()) -> None:
        """`known` names all schemes that there are, so that a refusal can name one that is off."""
        self._enabled = enabled
        self._names = [each.scheme.name for each in enabled]
        self._off = [name for name in known if name not in self._names]

    async def verify(self, delivery: Delivery) -> Verified:
        """Return what the signature vouches for.

        Raises `Refused` (401) if no entry verifies, and `Unavailable` if one might verify by keys
        that cannot be loaded now.
        """
        found = parse_entries(delivery.signature)
        unknown: list[_Attempt] = []
        keyless: list[_Attempt] = []
        for enabled in self._enabled:
            if entries := found.get(enabled.scheme.name):
                keys = enabled.source.fresh()
                if keys is None:
                    keyless.append(_Attempt(enabled, entries, None))
                    continue
                outcome = enabled.scheme.verify(delivery, entries, keys)
                if isinstance(outcome, Verified):
                    return outcome
                if outcome is Outcome.UNKNOWN_KEY:
                    unknown.append(_Attempt(enabled, entries, keys))
        try:
            return await self._verify_with_others(delivery, keyless, unknown)
        except Refused:
            if named := [name for name in self._off if name in found]:
                raise Refused(401, self._hint(named[0])) from None
            raise

    def _hint(self, off: str) -> str:
        return f"scheme {off} is off: to accept it, set SCHEMES={','.join((*self._names, off))}"

    async def _verify_with_others(
        self, delivery: Delivery, keyless: Sequence[_Attempt], unknown: Sequence[_Attempt]
    ) -> Verified:
        attempts = (*keyless, *unknown)
        # Together, so that the slowest source bounds the wait, not their sum.
        others = await asyncio.gather(*map(_other_keys, attempts))
        missing: Unavailable | None = None
        for attempt, keys in zip(attempts, others, strict=True):
            if isinstance(keys, Unavailable):
                missing = keys
            elif keys is not None:
                outcome = attempt.enabled.scheme.verify(delivery, attempt.entries, keys)
                if isinstance(outcome, Verified):
                    return outcome
        raise missing or Refused(401, "signature")


async def _other_keys(attempt: _Attempt) -> Any:
    source = attempt.enabled.source
    if attempt.seen is not None:
        return await source.newer(attempt.seen)
    try:
        return await source.current()
    except Unavailable as error:
        return error
