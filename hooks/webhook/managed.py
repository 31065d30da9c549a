"""The webhook of a deployment, managed through its registrar: no API key is needed.

The registrar owns one webhook, whose name, URI and events Terraform declares.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2

from hooks import console
from hooks.deployment import Deployment
from hooks.errors import UsageError
from hooks.registrar import Registrar
from hooks.webhook.states import ENABLED, explain

Report = Mapping[str, Any]
"""What the registrar says of its webhook: id, uri, events, state and more."""


class ManagedWebhook:
    """The webhook of a `deployment` whose registrar's address is known.

    Every method raises `HooksError` with the registrar's reason. A method that takes an
    `identifier` raises `UsageError` if it is given and names another webhook.
    """

    def __init__(self, deployment: Deployment, token: str) -> None:
        self._deployment = deployment
        self._token = token

    def get(self, identifier: str = "") -> Report:
        """Return the registrar's report."""
        report = self._call("GET", "/webhook")
        if identifier and identifier != report.get("id"):
            raise UsageError(
                f"{identifier} is not the deployment's webhook, which is {report.get('id')}; leave"
                " the id out"
            )
        return report

    def converge(self) -> Report:
        """Create, repair and enable the webhook as Terraform declares it."""
        return self._call("POST", "/converge")

    def enable(self, identifier: str) -> Report:
        """Enable the webhook."""
        self.get(identifier)
        return self.converge()

    def ping(self, identifier: str) -> Report:
        """Have Gemini deliver a test event."""
        report = self.get(identifier)
        self._call("POST", "/ping")
        return {"id": report.get("id"), "pinged": True}

    def rotate(self, identifier: str, behavior: str) -> Report:
        """Make a new signing secret, which the registrar stores."""
        self.get(identifier)
        return self._call("POST", "/rotate", {"revocation_behavior": behavior})

    def delete(self, identifier: str) -> Report:
        """Delete the webhook, until Terraform changes what it declares."""
        self.get(identifier)
        return self._call("DELETE", "/webhook")

    def show(self, report: Report, *, as_json: bool) -> None:
        """Print a report, and how to enable a webhook that is disabled."""
        if as_json:
            console.print_json(report)
            return
        console.out.print(console.pairs({name: _text(value) for name, value in report.items()}))
        state = str(report.get("state", ENABLED))
        if state in (ENABLED, "absent"):
            return
        meaning, remedy = explain(state, str(report.get("id", "")), self._deployment)
        console.err.print(f"{meaning}. To leave that: {remedy}", style="yellow")

    def _call(self, method: str, path: str, body: Report | None = None) -> Report:
        async def call() -> Report:
            async with httpx2.AsyncClient() as client:
                registrar = Registrar(client, self._deployment.registrar_url, self._token)
                return await registrar.call(method, path, body)

        return asyncio.run(call())


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "yes" if value is True else "no" if value is False else str(value or "-")
