"""A deployment's registrar, asked over HTTP with an identity token that may invoke it."""

from collections.abc import Mapping
from typing import Any

import httpx2

from hooks.deployment import Deployment
from hooks.errors import HooksError

TOKEN = "REGISTRAR_IDENTITY_TOKEN"  # noqa: S105 - a variable's name
_SECONDS = 30.0


class Registrar:
    """The registrar at `url`, whose calls are in `relay.registrar.service`."""

    def __init__(self, client: httpx2.AsyncClient, url: str, token: str) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"}

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """Return the JSON object that answers a call; raises `HooksError` for any other answer."""
        try:
            answer = await self._client.request(
                method, f"{self._url}{path}", headers=self._headers, json=body, timeout=_SECONDS
            )
            report = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise HooksError(
                f"the registrar gave no usable answer ({type(error).__name__})"
            ) from None
        if not isinstance(report, Mapping):
            raise HooksError(f"the registrar gave no usable answer ({answer.status_code})")
        if answer.status_code != httpx2.codes.OK:
            raise HooksError(f"the registrar answered {answer.status_code}: {report.get('error')}")
        return report


def identity_token(deployment: Deployment, environ: Mapping[str, str]) -> str:
    """Return a token that may invoke the registrar, or nothing if there is none.

    It is the one in `environ`, or one of the local cloud that the registrar runs in. Raises
    `HooksError` if that gives none.
    """
    token = environ.get(TOKEN, "")
    if token or not deployment.token_url:
        return token
    try:
        answer = httpx2.get(deployment.token_url, trust_env=False, timeout=_SECONDS)
        return answer.raise_for_status().text
    except httpx2.HTTPError as error:
        raise HooksError(f"the local cloud gave no identity token: {error}") from error


def no_access(deployment: Deployment, *words: str) -> str:
    """Return the error for a command that has neither an identity token nor an API key."""
    if deployment.registrar_url:
        return f"{TOKEN} is not set; run `{deployment.command(*words)}`"
    return (
        "set GEMINI_API_KEY to the API key of the webhook's project; or name the deployment with"
        " --outputs, so that its registrar can be asked, which takes no API key"
    )
