"""The bare check checks the very signatures that are sent."""

import dataclasses

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import load
from bench.checks import seconds_per_check

KEY = Ed25519PrivateKey.generate()


def test_a_check_takes_some_time() -> None:
    signed = load.deliveries(load.sign_v1a(KEY), 50)
    assert 0 < seconds_per_check(KEY.public_key(), signed) < 1


def test_a_signature_of_other_bytes_is_refused() -> None:
    [delivery] = load.deliveries(load.sign_v1a(KEY), 1)
    changed = dataclasses.replace(delivery, body=delivery.body + b" ")
    with pytest.raises(InvalidSignature):
        seconds_per_check(KEY.public_key(), [changed])
