"""Load from wrk, with deliveries that were signed beforehand."""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import hmac_data

SCRIPT = Path(__file__).with_name("load.lua")


class LoadFailed(Exception):
    """The load generator wrote no report; the message is what it wrote instead."""


@dataclass(frozen=True)
class Load:
    """The result of one load; latencies in microseconds.

    `cpu` is what the loaded party used meanwhile, in seconds of user and system time; `load_busy`
    is for how many seconds the cores of load generator and sink were busy.
    """

    requests: int
    seconds: float
    refused: int
    broken: int
    p50: float
    p99: float
    max: float
    cpu: float = 0.0
    load_busy: float = 0.0

    @property
    def rate(self) -> float:
        """2xx answers a second."""
        return (self.requests - self.refused) / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of the party's CPU for each answer."""
        return self.cpu / self.requests * 1e6


@dataclass(frozen=True)
class Delivery:
    """One signed delivery, ready to be sent any number of times."""

    id: str
    timestamp: int
    signature: str
    body: bytes

    @property
    def headers(self) -> Mapping[str, str]:
        """What Gemini sends with the body."""
        return {
            "content-type": "application/json",
            "webhook-id": self.id,
            "webhook-timestamp": str(self.timestamp),
            "webhook-signature": self.signature,
        }


def body(number: int) -> bytes:
    """Return a body of the common shape, about 200 bytes."""
    data = {"id": f"batch_{number:012d}", "output_file_uri": f"gs://bucket/results-{number}.jsonl"}
    event = {
        "type": "batch.succeeded",
        "version": "v1",
        "timestamp": "2026-01-22T12:00:00Z",
        "data": data,
    }
    return json.dumps(event).encode()


Sign = Callable[[bytes], str]


def sign_v1(signing_secret: str) -> Sign:
    """Return a signer for static webhooks."""
    key = base64.b64decode(signing_secret.removeprefix("whsec_"))
    return lambda signed: "v1," + base64.b64encode(hmac_data(key, signed)).decode()


def sign_v1a(key: Ed25519PrivateKey) -> Sign:
    """Return a signer for dynamic webhooks."""
    return lambda signed: "v1a," + base64.b64encode(key.sign(signed)).decode()


def deliveries(sign: Sign, count: int = 2000) -> Iterator[Delivery]:
    """Sign `count` deliveries with the present time."""
    now = int(time.time())
    for number in range(count):
        message_id, content = f"msg_{secrets.token_hex(12)}", body(number)
        signature = sign(f"{message_id}.{now}.".encode() + content)
        yield Delivery(message_id, now, signature, content)


def write(path: Path, signed: Iterable[Delivery]) -> None:
    """Write deliveries in the form that the generator's script reads."""
    with path.open("wb") as file:
        for delivery in signed:
            fields = (delivery.id, str(delivery.timestamp), delivery.signature)
            file.write("\t".join(fields).encode() + b"\t" + delivery.body + b"\n")


def find_wrk() -> str:
    """Return the path of wrk; ends the program where it is not installed."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("the benchmark needs wrk; install it with: apt-get install wrk")
    return wrk


async def run(
    url: str, requests: Path, *, connections: int, seconds: int, pause_ms: float = 0.0
) -> Load:
    """Send `requests` repeatedly for `seconds`.

    `pause_ms` is the mean pause of a connection between an answer and its next request.
    """
    process = await asyncio.create_subprocess_exec(
        *(find_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"),
        *("-s", str(SCRIPT), url),
        env={**os.environ, "REQUESTS": str(requests), "PAUSE_MS": str(pause_ms)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    return read(out.decode(), errors.decode())


def read(out: str, errors: str = "") -> Load:
    """Return the report in the script's last line of output; raises `LoadFailed`."""
    with contextlib.suppress(ValueError, IndexError, TypeError):
        return Load(**json.loads(out.strip().splitlines()[-1]))
    raise LoadFailed(f"wrk failed: {errors}{out}")
