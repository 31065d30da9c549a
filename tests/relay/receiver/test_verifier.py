from typing import Any

import pytest

from relay.errors import Refused, Unavailable
from relay.keys.keyset import KeySet, parse_key_set
from relay.keys.secret import parse_secret
from relay.keys.source import FixedKeys
from relay.receiver.signatures.asymmetric import AsymmetricScheme
from relay.receiver.signatures.symmetric import SymmetricScheme
from relay.receiver.signatures.token import TokenScheme
from relay.receiver.verifier import Enabled, Verifier
from tests.support.signing import (
    AUDIENCE,
    OTHER_RSA_KEY,
    delivery,
    ed25519_jwk,
    jwks,
    rsa_jwk,
    secret,
    token,
    v1,
    v1a,
)


class Source:
    """Fresh keys, keys for who waits, and keys for who asks for newer ones."""

    def __init__(self, fresh: Any = None, current: Any = None, newer: Any = None) -> None:
        self._fresh, self._current, self._newer = fresh, current, newer
        self.asked: list[str] = []

    def fresh(self) -> Any:
        return self._fresh

    async def current(self) -> Any:
        self.asked.append("current")
        if self._current is None:
            raise Unavailable("keys")
        return self._current

    async def newer(self, seen: Any) -> Any:
        assert seen is self._fresh
        self.asked.append("newer")
        return self._newer


def secrets(*seeds: int) -> tuple[bytes, ...]:
    return tuple(parse_secret(secret(seed)) for seed in seeds)


def public(*seeds: int, kid: str = "rsa-1") -> KeySet:
    return parse_key_set(jwks(*map(ed25519_jwk, seeds), rsa_jwk(kid=kid)), rsa=True)


def verifier(v1_keys: Any, jwks_keys: Any) -> Verifier:
    return Verifier(
        [
            Enabled(SymmetricScheme(), v1_keys),
            Enabled(AsymmetricScheme(), jwks_keys),
            Enabled(TokenScheme((AUDIENCE,), 300), jwks_keys),
        ]
    )


async def scheme_of(signature: str, v1_keys: Any, jwks_keys: Any) -> str:
    return (await verifier(v1_keys, jwks_keys).verify(delivery(signature))).scheme


async def refusal(signature: str, v1_keys: Any, jwks_keys: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await verifier(v1_keys, jwks_keys).verify(delivery(signature))
    assert (caught.value.status, caught.value.reason) == (401, "signature")
    return caught.value


@pytest.mark.parametrize(
    ("signature", "scheme"),
    [
        (v1(), "v1"),
        (v1a(), "v1a"),
        (token(), "jwt"),
        (f"{v1(seed=9)} {v1()}", "v1"),
        (f"v2,new {v1a()} junk", "v1a"),
        (f"{v1(seed=9)} {v1a()}", "v1a"),
        (f"{v1a(seed=9)} {token()}", "jwt"),
        (f"{token()} {v1()}", "v1"),
        (f",, , v1 v1, v1,! v1a,! a.b.c {v1()}", "v1"),
    ],
)
async def test_one_entry_that_verifies_is_enough(signature: str, scheme: str) -> None:
    v1_keys, jwks_keys = Source(secrets(1, 0)), Source(public(1, 0))
    assert await scheme_of(signature, v1_keys, jwks_keys) == scheme
    assert v1_keys.asked == jwks_keys.asked == []


@pytest.mark.parametrize("signature", ["v2,abc", "junk", " ", "v1,", "v1a,AAAA", "a.b.c"])
async def test_what_no_key_could_verify_asks_for_none(signature: str) -> None:
    v1_keys, jwks_keys = Source(secrets(0)), Source(public(0))
    await refusal(signature, v1_keys, jwks_keys)
    assert v1_keys.asked == jwks_keys.asked == []


@pytest.mark.parametrize("signature", [v1(seed=9), v1a(seed=9), token(kid="rsa-9")])
async def test_newer_keys_may_verify_it(signature: str) -> None:
    v1_keys = Source(secrets(0), newer=secrets(9, 0))
    jwks_keys = Source(public(0), newer=public(9, kid="rsa-9"))
    assert await scheme_of(signature, v1_keys, jwks_keys)
    assert v1_keys.asked + jwks_keys.asked == ["newer"]


@pytest.mark.parametrize("signature", [v1(seed=8), v1a(seed=8), token(kid="rsa-8")])
@pytest.mark.parametrize("newer", [True, False])
async def test_what_newer_keys_do_not_verify_is_refused(signature: str, newer: bool) -> None:
    v1_keys = Source(secrets(0), newer=secrets(9) if newer else None)
    jwks_keys = Source(public(0), newer=public(9, kid="rsa-9") if newer else None)
    await refusal(signature, v1_keys, jwks_keys)


async def test_no_newer_keys_for_a_token_of_a_known_key() -> None:
    jwks_keys = Source(public(0))
    await refusal(token(kid="rsa-1", key=OTHER_RSA_KEY), Source(), jwks_keys)
    assert jwks_keys.asked == []


@pytest.mark.parametrize("signature", [v1(), v1a(), token()])
async def test_keys_that_are_not_at_hand_are_waited_for(signature: str) -> None:
    v1_keys, jwks_keys = Source(current=secrets(0)), Source(current=public(0))
    assert await scheme_of(signature, v1_keys, jwks_keys)


@pytest.mark.parametrize("signature", [v1(seed=9), v1a(seed=9), token(kid="rsa-9")])
async def test_keys_just_loaded_are_not_loaded_again(signature: str) -> None:
    v1_keys, jwks_keys = Source(current=secrets(0)), Source(current=public(0))
    await refusal(signature, v1_keys, jwks_keys)
    assert v1_keys.asked + jwks_keys.asked == ["current"]


@pytest.mark.parametrize("signature", [v1(), v1a(), token()])
async def test_keys_that_cannot_be_had(signature: str) -> None:
    with pytest.raises(Unavailable):
        await verifier(Source(), Source()).verify(delivery(signature))


async def test_keys_at_hand_are_tried_before_any_that_take_time() -> None:
    v1_keys, jwks_keys = Source(current=secrets(0)), Source(public(0))
    assert await scheme_of(f"{v1()} {v1a()}", v1_keys, jwks_keys) == "v1a"
    assert v1_keys.asked == []


async def test_what_might_verify_by_keys_that_cannot_be_had_is_not_refused() -> None:
    with pytest.raises(Unavailable):
        await verifier(Source(secrets(9)), Source()).verify(delivery(f"{v1()} {v1a()}"))


async def test_what_verifies_by_one_scheme_needs_no_keys_of_another() -> None:
    v1_keys, jwks_keys = Source(secrets(9), newer=secrets(0)), Source()
    assert await scheme_of(f"{v1()} {v1a()}", v1_keys, jwks_keys) == "v1"


async def test_a_scheme_that_is_not_enabled_does_not_count() -> None:
    only_v1a = Verifier([Enabled(AsymmetricScheme(), FixedKeys(public(0)))])
    for signature in (v1(), token()):
        with pytest.raises(Refused):
            await only_v1a.verify(delivery(signature))
    assert await only_v1a.verify(delivery(v1a()))


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (v1a(), "scheme v1a is off: to accept it, set SCHEMES=v1,v1a"),
        (token(), "scheme jwt is off: to accept it, set SCHEMES=v1,jwt"),
        (f"{v1(seed=9)} {v1a()}", "scheme v1a is off: to accept it, set SCHEMES=v1,v1a"),
        (v1(seed=9), "signature"),
        ("v2,abc", "signature"),
    ],
)
async def test_a_refusal_names_a_scheme_that_is_off(signature: str, reason: str) -> None:
    only_v1 = Verifier(
        [Enabled(SymmetricScheme(), FixedKeys(secrets(0)))], known=("v1", "v1a", "jwt")
    )
    with pytest.raises(Refused) as refused:
        await only_v1.verify(delivery(signature))
    assert (refused.value.status, refused.value.reason) == (401, reason)


async def test_fixed_keys() -> None:
    keys = FixedKeys(secrets(0))
    assert keys.fresh() == await keys.current() == secrets(0)
    await keys.newer(keys.fresh())
