"""The deliveries for the load generator, and its report."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook

from bench import load
from bench.load import Load, LoadFailed

SECRET = "whsec_" + base64.b64encode(b"0" * 24).decode()
REPORT = '{"requests":10,"seconds":2.0,"refused":4,"broken":0,"p50":100.0,"p99":200.0,"max":300.0}'


def test_a_static_delivery_verifies() -> None:
    [delivery] = load.deliveries(load.sign_v1(SECRET), 1)
    headers = {
        "webhook-id": delivery.id,
        "webhook-timestamp": str(delivery.timestamp),
        "webhook-signature": delivery.signature,
    }
    Webhook(SECRET).verify(delivery.body, headers)


def test_a_dynamic_delivery_verifies() -> None:
    key = Ed25519PrivateKey.generate()
    [delivery] = load.deliveries(load.sign_v1a(key), 1)
    version, _, signature = delivery.signature.partition(",")
    signed = f"{delivery.id}.{delivery.timestamp}.".encode() + delivery.body
    assert version == "v1a"
    key.public_key().verify(base64.b64decode(signature), signed)


def test_deliveries_differ() -> None:
    ids = [delivery.id for delivery in load.deliveries(load.sign_v1(SECRET), 20)]
    assert len(set(ids)) == 20


def test_each_delivery_is_a_line_of_four_fields(tmp_path: Path) -> None:
    signed = list(load.deliveries(load.sign_v1(SECRET), 3))
    load.write(tmp_path / "requests", signed)
    lines = (tmp_path / "requests").read_bytes().splitlines()
    assert len(lines) == 3
    *fields, body = lines[0].split(b"\t")
    assert [field.decode() for field in fields] == [
        signed[0].id,
        str(signed[0].timestamp),
        signed[0].signature,
    ]
    assert json.loads(body)["type"] == "batch.succeeded"


def test_the_report_is_the_last_line() -> None:
    came = load.read("Running 2s test\n  1 threads\n" + REPORT + "\n")
    assert came == Load(10, 2.0, 4, 0, 100.0, 200.0, 300.0)
    assert came.rate == 3


@pytest.mark.parametrize("out", ["", "Usage: wrk <options>", "17", '{"requests":1}'])
def test_output_without_a_report_raises_with_the_errors(out: str) -> None:
    with pytest.raises(LoadFailed, match="cannot connect"):
        load.read(out, "cannot connect")


def test_without_wrk_the_program_ends_and_names_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="apt-get install wrk"):
        load.find_wrk()
