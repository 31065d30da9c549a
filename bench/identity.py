"""The keys that deliveries are signed with: a signing secret, and a key served as a JWKS."""

import base64
import http.server
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bench import load, parties


@dataclass(frozen=True)
class Signer:
    """Signs what the parties accept; `public_key` verifies `dynamic` signatures."""

    static: load.Sign
    dynamic: load.Sign
    public_key: Ed25519PublicKey


@contextmanager
def identity() -> Iterator[tuple[Signer, dict[str, str]]]:
    """Create both; yield the signer, and the environment of a function that verifies."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    key = Ed25519PrivateKey.generate()
    jwk = jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    with _serve({"keys": [jwk]}) as jwks_uri:
        environ = {
            "GOOGLE_CLOUD_PROJECT": parties.PROJECT,
            "INGRESS_TOPIC": parties.TOPIC,
            # Both kinds of signature are measured.
            "SCHEMES": "v1,v1a",
            "WEBHOOK_SIGNING_SECRET": secret,
            "JWKS_URI": jwks_uri,
        }
        yield Signer(load.sign_v1(secret), load.sign_v1a(key), key.public_key()), environ


@contextmanager
def _serve(document: Mapping[str, object]) -> Iterator[str]:
    content = json.dumps(document).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/jwks.json"
        server.shutdown()
