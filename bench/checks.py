"""Measures a bare check of a delivery's Ed25519 signature, by the library that the relay uses."""

import base64
import time
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bench.load import Delivery


def seconds_per_check(public_key: Ed25519PublicKey, deliveries: Iterable[Delivery]) -> float:
    """Return the seconds of CPU that a check takes; raises `InvalidSignature`."""
    prepared = [_parts(delivery) for delivery in deliveries]
    begun = time.thread_time()
    for signature, signed in prepared:
        public_key.verify(signature, signed)
    return (time.thread_time() - begun) / len(prepared)


def _parts(delivery: Delivery) -> tuple[bytes, bytes]:
    signed = f"{delivery.id}.{delivery.timestamp}.".encode() + delivery.body
    return base64.b64decode(delivery.signature.removeprefix("v1a,")), signed
