"""Google Cloud's REST APIs, asked with the caller's own credentials."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import google.auth
import google.auth.transport.requests
import httpx2
from google.auth.exceptions import GoogleAuthError

from hooks.errors import HooksError

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

Token = Callable[[], Awaitable[str]]
"""Returns an access token of the caller."""


@dataclass(frozen=True)
class Answer:
    """An answer's HTTP status, and the JSON object in it (empty if it holds none)."""

    status: int
    document: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """Whether the call was carried out."""
        return self.status == httpx2.codes.OK

    @property
    def reason(self) -> str:
        """Google's reason for a refusal, in one line."""
        error = self.document.get("error")
        message = error.get("message") if isinstance(error, Mapping) else None
        return " ".join(str(message or "no reason").split())


class GoogleApis:
    """Calls APIs in the name of the caller. `base` is a pattern of addresses with `{api}` in it."""

    def __init__(
        self, client: httpx2.AsyncClient, token: Token, base: str = "https://{api}.googleapis.com"
    ) -> None:
        self._client = client
        self._token = token
        self._base = base

    async def __call__(
        self, method: str, api: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Answer:
        """Make a call; `path` begins with the API's version.

        Raises `HooksError` where there is no answer, or one that succeeds without a JSON object.
        """
        url = f"{self._base.format(api=api)}/{path}"
        headers = {"authorization": f"Bearer {await self._token()}"}
        try:
            answer = await self._client.request(method, url, headers=headers, json=body)
        except httpx2.HTTPError as error:
            raise HooksError(f"{api} gave no answer ({type(error).__name__})") from None
        try:
            document = answer.json()
        except ValueError:
            document = None
        if isinstance(document, Mapping):
            return Answer(answer.status_code, document)
        if answer.is_success:
            raise HooksError(f"{api} gave no usable answer")
        return Answer(answer.status_code, {})


async def default_token() -> str:
    """Return an access token of the application-default credentials; raises `HooksError`."""
    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
        await asyncio.to_thread(credentials.refresh, google.auth.transport.requests.Request())
    except GoogleAuthError as error:
        raise HooksError(
            f"no Google credentials: {error}; run `gcloud auth application-default login`"
        ) from error
    return str(credentials.token)
