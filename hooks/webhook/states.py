"""The states of a webhook at Gemini, and the commands that leave those without deliveries."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hooks.deployment import Deployment

ENABLED = "enabled"

_REGISTRAR = "a deployment's registrar does so within a minute, unless it was told to delete it"
_GIVEN_UP = (
    "mend what failed (`{doctor}` and the receiver's log say what), then enable it with `{enable}`;"
    " {registrar}. Gemini does not repeat what it did not deliver meanwhile: look up the jobs of"
    " that time"
)
_EXPLAINED = {
    "disabled": (
        "somebody disabled it, and Gemini delivers nothing",
        "enable it with `{enable}`; {registrar}",
    ),
    "disabled_due_to_failed_deliveries": (
        "Gemini disabled it after too many failed deliveries, and delivers nothing",
        _GIVEN_UP,
    ),
}
_UNKNOWN = (
    "this version of hooks does not know that state",
    "see Gemini's documentation of webhooks; `{enable}` may leave it",
)


def explain(state: str, identifier: str, deployment: "Deployment | None" = None) -> tuple[str, str]:
    """Return what a state means and how to enable the webhook; both are empty for `enabled`.

    The commands in it act on `deployment`; without one, on what `hooks webhook` acts on here.
    """
    if state == ENABLED:
        return "", ""
    meaning, remedy = _EXPLAINED.get(state, _UNKNOWN)
    enable = ("webhook", "update", identifier, "--state", "enabled")
    return meaning, remedy.format(
        enable=deployment.command(*enable) if deployment else " ".join(("hooks", *enable)),
        doctor=deployment.command("doctor") if deployment else "hooks doctor",
        registrar=_REGISTRAR,
    )


def webhook_command(deployment: "Deployment", verb: str, url: str) -> str:
    """Return a complete `hooks webhook` command about the deployment's webhook at `url`."""
    known = deployment.local or deployment.registrar_url
    words = () if known else ("--uri", url, "--signing-secret", deployment.signing_secret)
    return deployment.command("webhook", verb, *words)
