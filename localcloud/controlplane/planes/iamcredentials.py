"""IAM credentials: tokens of service accounts."""

import secrets
from collections.abc import Mapping, Sequence
from typing import ClassVar

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.errors import denied, invalid
from localcloud.controlplane.state import State, rfc3339
from localcloud.controlplane.store import Json

_LIFETIME = 3600


class IamCredentials:
    """Mints tokens for members with a grant on the account; an owner needs one too."""

    service: ClassVar[str] = "iamcredentials.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {
        "iam_credentials_custom_endpoint": "iamcredentials/v1/"
    }

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        account = "iamcredentials/v1/projects/{project}/serviceAccounts/{email}"
        return [
            Route("POST", f"{account}:generateIdToken", self._identity_token),
            Route("POST", f"{account}:generateAccessToken", self._access_token),
        ]

    async def _identity_token(self, call: ApiCall) -> Json:
        audience = call.body.get("audience")
        if not audience:
            raise invalid("The audience must not be empty.")
        self._check(call, "iam.serviceAccounts.getOpenIdToken")
        return {"token": self._state.issuer.identity_token(call.names["email"], audience)}

    async def _access_token(self, call: ApiCall) -> Json:
        self._check(call, "iam.serviceAccounts.getAccessToken")
        token = f"ya29.local-{secrets.token_urlsafe(24)}"
        self._state.access_tokens[token] = f"serviceAccount:{call.names['email']}"
        expiry = rfc3339(self._state.clock.time() + _LIFETIME)
        return {"accessToken": token, "expireTime": expiry}

    def _check(self, call: ApiCall, permission: str) -> None:
        name = f"{self._state.root}/serviceAccounts/{call.names['email']}"
        exists = name in self._state.resources
        if not exists or not self._state.policies.allows(call.identity, permission, name):
            raise denied(permission, name)
