"""The certificates that the clients of the local cloud trust, read once for all of them."""

import functools
import ssl

import httpx2


@functools.cache
def certificates() -> ssl.SSLContext:
    """Return the trusted certificates; each client that gets none reads the whole file again.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` are ignored.
    """
    return httpx2.create_ssl_context(trust_env=False)
