"""`hooks webhook`: the webhooks of a Gemini project, straight from a terminal."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hooks.options import AsJson

if TYPE_CHECKING:
    from hooks.webhook.actions import Registration
    from hooks.webhook.secret_store import SecretStore

app = typer.Typer(
    help="The webhooks of a Gemini project, straight at Gemini: needs GEMINI_API_KEY.",
    no_args_is_help=True,
)

Identifier = Annotated[str, typer.Argument(metavar="ID", help="The webhook's id.")]
MaybeIdentifier = Annotated[str, typer.Argument(metavar="[ID]", help="The webhook's id.")]
ByUri = Annotated[str, typer.Option("--uri", help="Instead of its id: where it leads.")]
Uri = Annotated[str, typer.Option(help="Where events are delivered: https.")]
Name = Annotated[str, typer.Option(help="A name for people.")]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", metavar="TYPE", help="May be given again; all that there are."),
]
SigningSecret = Annotated[
    str,
    typer.Option(
        envvar="SIGNING_SECRET",
        metavar="projects/…/secrets/…",
        help="The Secret Manager secret that takes what Gemini shows once.",
    ),
]
SecretFile = Annotated[
    Path | None,
    typer.Option(help="A file instead, for this user's eyes only; newest secret first."),
]
State = Annotated[
    Literal["enabled", "disabled"] | None, typer.Option(help="Whether it gets deliveries.")
]
Behavior = Annotated[
    Literal["revoke_previous_secrets_after_h24", "revoke_previous_secrets_immediately"],
    typer.Option("--revocation-behavior", help="What becomes of the old secret."),
]


@app.command("apply")
def apply(
    uri: Uri,
    name: Name = "gemini-webhooks",
    event: Events = None,
    signing_secret: SigningSecret = "",
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Make the webhook that leads to a URI as it should be, and keep its secret.

    It is found by its URI, else created; updated where it differs, enabled, and its secret rotated
    where none is stored that could be its own. Other webhooks are not touched.
    """
    from hooks.webhook import actions as registering

    with _registration() as registration:
        applied = registration.apply(uri, name, event, _store(signing_secret, secret_file))
    registering.show(applied, as_json=as_json)


@app.command("list")
def list_webhooks(
    page_size: Annotated[
        int | None, typer.Option(min=1, max=1000, help="One page of so many, instead of all.")
    ] = None,
    page_token: Annotated[str, typer.Option(help="The page after that one.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the webhooks: all of them, or one page."""
    from hooks.webhook import actions as registering

    with _registration() as registration:
        page = registration.list(page_size, page_token)
    registering.show_page(page, as_json=as_json)


@app.command("show")
def show(identifier: MaybeIdentifier = "", uri: ByUri = "", as_json: AsJson = False) -> None:
    """Show one webhook; its secrets only in part, as Gemini does."""
    from hooks.webhook import actions as registering

    with _registration() as registration:
        webhook = registration.get(registration.identify(identifier, uri))
    registering.show(webhook, as_json=as_json)


@app.command("create")
def create(
    uri: Uri,
    name: Name = "gemini-webhooks",
    event: Events = None,
    signing_secret: SigningSecret = "",
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Create a webhook and keep the signing secret, which Gemini shows this once."""
    from hooks.webhook import actions as registering

    with _registration() as registration:
        created = registration.create(uri, name, event, _store(signing_secret, secret_file))
    registering.show(created, as_json=as_json)


@app.command("update")
def update(
    identifier: Identifier,
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    uri: Annotated[str | None, typer.Option(help="Where events are delivered.")] = None,
    event: Events = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given of a webhook, and nothing else."""
    from hooks.webhook import actions as registering

    changes = {"name": name, "uri": uri, "subscribed_events": event, "state": state}
    with _registration() as registration:
        updated = registration.update(identifier, changes)
    registering.show(updated, as_json=as_json)


@app.command("ping")
def ping(identifier: MaybeIdentifier = "", uri: ByUri = "", as_json: AsJson = False) -> None:
    """Have Gemini deliver a test event."""
    from hooks.webhook import actions as registering

    with _registration() as registration:
        pinged = registration.ping(registration.identify(identifier, uri))
    registering.show(pinged, as_json=as_json)


@app.command("rotate")
def rotate(
    identifier: MaybeIdentifier = "",
    uri: ByUri = "",
    behavior: Behavior = "revoke_previous_secrets_after_h24",
    signing_secret: SigningSecret = "",
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a new signing secret and keep it; Gemini shows it this once."""
    from hooks.webhook import actions as registering

    with _registration() as registration:
        found = registration.identify(identifier, uri)
        rotated = registration.rotate(found, behavior, _store(signing_secret, secret_file))
    registering.show(rotated, as_json=as_json)


@app.command("delete")
def delete(identifier: MaybeIdentifier = "", uri: ByUri = "", as_json: AsJson = False) -> None:
    """Delete a webhook: what is on its way to it is lost."""
    from hooks.webhook import actions as registering

    with _registration() as registration:
        deleted = registration.delete(registration.identify(identifier, uri))
    registering.show(deleted, as_json=as_json)


def _registration() -> "Registration":
    import os

    from hooks.webhook.actions import Registration

    return Registration.of(os.environ)


def _store(signing_secret: str, secret_file: Path | None) -> "SecretStore | None":
    import os

    from hooks.webhook.secret_store import open_secret_store

    return open_secret_store(signing_secret, secret_file, os.environ)
