"""What the states of a webhook mean at Gemini, and how to leave those that stop deliveries."""

ENABLED = "enabled"

_SWITCHED_OFF = (
    "enable it: `hooks webhook update ID --state enabled`; a deployment's registrar does so by"
    " itself within a minute, unless it was told to stay away"
)
_GIVEN_UP = (
    "first mend what failed (`hooks doctor` and the receiver's log say what), then enable it:"
    " `hooks webhook update ID --state enabled`; a deployment's registrar does so by itself within"
    " a minute. What Gemini did not deliver meanwhile it does not send again: ask it for the jobs"
    " of that time"
)
_UNKNOWN = (
    "see Gemini's documentation of webhooks; `hooks webhook update ID --state enabled` may leave it"
)
_EXPLAINED = {
    "disabled": ("somebody switched it off, and Gemini delivers nothing", _SWITCHED_OFF),
    "disabled_due_to_failed_deliveries": (
        "Gemini gave it up after too many failed deliveries, and delivers nothing any more",
        _GIVEN_UP,
    ),
}


def explain(state: str, identifier: str) -> tuple[str, str]:
    """Return what a state means, and what to do to be in `enabled` again; both empty for that."""
    if state == ENABLED:
        return "", ""
    meaning, remedy = _EXPLAINED.get(
        state, ("this version of hooks does not know that state", _UNKNOWN)
    )
    return meaning, remedy.replace("ID", identifier)
