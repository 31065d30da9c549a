"""The registrar: keeps the webhook at Gemini, and its secret in Secret Manager, as they should be.

A controller: called every minute, it compares the webhook with its environment and repairs what
differs.
"""

import functools
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from starlette.requests import Request

from relay.environment import Environment
from relay.gcp.channels import opener
from relay.gcp.secrets import HOST, SecretVersions
from relay.gcp.store import create_store
from relay.gemini.webhooks import GeminiWebhooks
from relay.registrar.controller import Controller
from relay.registrar.observer import Observer
from relay.registrar.service import Service
from relay.registrar.settings import Settings
from relay.registrar.vault import Vault
from relay.web.identity import IdentityCheck, create_identity_check
from relay.web.replies import Reply, silence_disconnect_errors

COLLECTION = "registrar"

# gcloud's identity tokens for people name gcloud as their audience, and Cloud Run accepts them for
# any service. IAM decides who may call; this check only learns who did.
# https://cloud.google.com/run/docs/authenticating/developers
_GCLOUD_AUDIENCE = "32555940559.apps.googleusercontent.com"

Handler = Callable[[Request], Awaitable[Reply]]


def create(environ: Mapping[str, str]) -> Handler:
    """Return the handler that an environment describes; raises `ConfigurationError`."""
    settings = Settings.read(environ)
    identity = _identity(environ)
    silence_disconnect_errors()
    open_secrets = opener(HOST, settings.secret_manager_emulator)
    versions = SecretVersions(settings.signing_secret, open_secrets, timeout=5.0, retry=True)
    vault = Vault(versions)
    store = create_store(environ, COLLECTION)

    @functools.cache
    def service() -> Service:
        gemini = GeminiWebhooks(api_key=settings.api_key, base_url=settings.base_url)
        return Service(
            Controller(settings, gemini, vault, store, _now),
            Observer(settings, gemini, vault, store),
            identity,
            settings.writers,
        )

    async def handle(request: Request) -> Reply:
        # At the first request: in the worker, on its loop, after the server has forked.
        return await service()(request)

    return handle


def _identity(environ: Mapping[str, str]) -> IdentityCheck | None:
    audiences = environ.get("OIDC_AUDIENCE", "").strip()
    if audiences:
        environ = {**environ, "OIDC_AUDIENCE": f"{audiences},{_GCLOUD_AUDIENCE}"}
    return create_identity_check(Environment(environ))


def _now() -> datetime:
    return datetime.now(UTC)
