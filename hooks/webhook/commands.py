"""The options of `hooks webhook`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hooks.completion import webhooks
from hooks.options import AsJson, Target, Yes, takes_webhook_target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hooks.webhook.actions import Registration
    from hooks.webhook.managed import ManagedWebhook, Report
    from hooks.webhook.secret_store import SecretStore

app = typer.Typer(
    help="Webhooks at Gemini. They act on the stack that runs in this directory; on a deployment "
    "(--outputs) through its registrar; else on the project of GEMINI_API_KEY.",
    no_args_is_help=True,
)

Identifier = Annotated[
    str, typer.Argument(metavar="[ID]", help="The webhook's id.", autocompletion=webhooks)
]
ByUri = Annotated[str, typer.Option("--uri", help="The webhook's URI, instead of its id.")]
Uri = Annotated[str, typer.Option(help="Where events are delivered: https.")]
Name = Annotated[str, typer.Option(help="A name for people.")]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", metavar="TYPE", help="Repeatable; default: every type."),
]
SigningSecret = Annotated[
    str,
    typer.Option(
        envvar="SIGNING_SECRET",
        metavar="projects/…/secrets/…",
        help="The Secret Manager secret that stores what Gemini shows once.",
    ),
]
SecretFile = Annotated[
    Path | None,
    typer.Option(help="A file instead, readable by this user alone; newest secret first."),
]
State = Annotated[
    Literal["enabled", "disabled"] | None, typer.Option(help="Whether it gets deliveries.")
]
Behavior = Annotated[
    Literal["revoke_previous_secrets_after_h24", "revoke_previous_secrets_immediately"],
    typer.Option("--revocation-behavior", help="When the previous secrets stop signing."),
]


@app.command("apply")
@takes_webhook_target
def apply(
    uri: Uri = "",
    name: Name = "gemini-webhooks",
    event: Events = None,
    signing_secret: SigningSecret = "",
    secret_file: SecretFile = None,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Create or repair the webhook of a URI, and store its signing secret.

    A webhook that exists is updated where it differs and enabled; its secret is rotated if none is
    stored that could be its own. Other webhooks stay as they are.
    """
    _run(
        target,
        lambda managed: managed.converge(),
        lambda access, registration: registration.apply(
            access.required(uri), name, event, access.store(signing_secret, secret_file)
        ),
        declared=(uri, event, signing_secret, secret_file),
        as_json=as_json,
    )


@app.command("list")
@takes_webhook_target
def list_webhooks(
    page_size: Annotated[
        int | None, typer.Option(min=1, max=1000, help="One page of N, instead of all.")
    ] = None,
    page_token: Annotated[str, typer.Option(help="The page after that one.")] = "",
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """List the webhooks: all of them, or one page. A registrar has one."""
    from hooks.webhook import actions

    _run(
        target,
        lambda managed: managed.get(),
        lambda _access, registration: registration.list(page_size, page_token),
        show=actions.show_page,
        as_json=as_json,
    )


@app.command("show")
@takes_webhook_target
def show(
    identifier: Identifier = "", uri: ByUri = "", *, target: Target, as_json: AsJson = False
) -> None:
    """Show one webhook; its secrets only in part, as Gemini does."""
    _run(
        target,
        lambda managed: managed.get(identifier),
        lambda access, registration: registration.get(
            access.identify(registration, identifier, uri)
        ),
        as_json=as_json,
    )


@app.command("create")
@takes_webhook_target
def create(
    uri: Uri = "",
    name: Name = "gemini-webhooks",
    event: Events = None,
    signing_secret: SigningSecret = "",
    secret_file: SecretFile = None,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Create a webhook and store the signing secret, which Gemini shows this once."""
    _run(
        target,
        lambda managed: managed.converge(),
        lambda access, registration: registration.create(
            access.required(uri), name, event, access.store(signing_secret, secret_file)
        ),
        declared=(uri, event, signing_secret, secret_file),
        as_json=as_json,
    )


@app.command("update")
@takes_webhook_target
def update(
    identifier: Identifier = "",
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    uri: Annotated[str | None, typer.Option(help="Where events are delivered.")] = None,
    event: Events = None,
    state: State = None,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Change the given fields of a webhook, and nothing else."""
    changes = {"name": name, "uri": uri, "subscribed_events": event, "state": state}
    _run(
        target,
        lambda managed: managed.enable(identifier),
        lambda access, registration: registration.update(
            access.identify(registration, identifier, ""), changes
        ),
        declared=(name, uri, event, state if state != "enabled" else None),
        as_json=as_json,
    )


@app.command("ping")
@takes_webhook_target
def ping(
    identifier: Identifier = "", uri: ByUri = "", *, target: Target, as_json: AsJson = False
) -> None:
    """Have Gemini deliver a test event."""
    _run(
        target,
        lambda managed: managed.ping(identifier),
        lambda access, registration: registration.ping(
            access.identify(registration, identifier, uri)
        ),
        as_json=as_json,
    )


@app.command("rotate")
@takes_webhook_target
def rotate(
    identifier: Identifier = "",
    uri: ByUri = "",
    behavior: Behavior = "revoke_previous_secrets_after_h24",
    signing_secret: SigningSecret = "",
    secret_file: SecretFile = None,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Make a new signing secret and store it; Gemini shows it this once.

    To revoke the others at once also disables them in --signing-secret, which takes
    roles/secretmanager.secretVersionManager on it.
    """
    _run(
        target,
        lambda managed: managed.rotate(identifier, behavior),
        lambda access, registration: registration.rotate(
            access.identify(registration, identifier, uri),
            behavior,
            access.store(signing_secret, secret_file),
        ),
        declared=(signing_secret, secret_file),
        as_json=as_json,
    )


@app.command("delete")
@takes_webhook_target
def delete(
    identifier: Identifier = "",
    uri: ByUri = "",
    yes: Yes = False,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Delete a webhook: Gemini does not repeat deliveries that are on their way."""
    from hooks.console import confirmed

    def agreed(found: str) -> bool:
        return confirmed(f"delete the webhook {found}", yes=yes, json=as_json)

    def through_registrar(managed: "ManagedWebhook") -> "Report | None":
        found = str(managed.get(identifier).get("id"))
        return managed.delete(found) if agreed(found) else None

    def directly(access: Access, registration: "Registration") -> "Report | None":
        found = access.identify(registration, identifier, uri)
        return registration.delete(found) if agreed(found) else None

    _run(target, through_registrar, directly, as_json=as_json)


@dataclass(frozen=True)
class Access:
    """The way to the webhooks: a deployment's registrar, or Gemini with what `environ` says.

    `uri` and `signing_secret` are the defaults: the stack's. `options` name the deployment.
    """

    environ: "Mapping[str, str]"
    uri: str = ""
    signing_secret: str = ""
    managed: "ManagedWebhook | None" = None
    options: "Sequence[str]" = ()

    def registration(self) -> "Registration":
        """Return the webhooks at Gemini; raises `UsageError` without an API key."""
        from hooks.webhook.actions import Registration

        return Registration.of(self.environ, self.options)

    def store(self, signing_secret: str, secret_file: Path | None) -> "SecretStore | None":
        """Return where a signing secret is stored."""
        from hooks.webhook.secret_store import open_secret_store

        return open_secret_store(signing_secret or self.signing_secret, secret_file, self.environ)

    def identify(self, registration: "Registration", identifier: str, uri: str) -> str:
        """Return the id that is given, or of the webhook of the URI."""
        return registration.identify(identifier, uri if identifier else uri or self.uri)

    def required(self, uri: str) -> str:
        """Return the URI to register; raises `UsageError` without one."""
        from hooks.errors import UsageError

        if not uri and not self.uri:
            raise UsageError("say where events are delivered: --uri https://…")
        return uri or self.uri


def _access(target: Target) -> Access:
    """Return the way to the deployment that is named, to the stack here, or to Gemini itself."""
    from hooks.errors import NoStack, UsageError
    from hooks.registrar import identity_token, no_access
    from hooks.webhook.managed import ManagedWebhook

    try:
        deployment = target.find()
    except NoStack as error:
        if os.environ.get("GEMINI_API_KEY", "").strip():
            return Access(os.environ)
        raise UsageError(
            f"{error}; or set GEMINI_API_KEY, to act on all webhooks of its project"
        ) from None
    token = identity_token(deployment, os.environ) if deployment.registrar_url else ""
    if token:
        return Access(os.environ, managed=ManagedWebhook(deployment, token))
    if deployment.local:
        # The simulator takes any key; a real one must not leave for it, nor the stack for Gemini.
        environ = {**os.environ, **deployment.variables, "GEMINI_API_KEY": "laptop"}
        return Access(environ, deployment.webhook_url, deployment.signing_secret)
    if not os.environ.get("GEMINI_API_KEY", "").strip():
        raise UsageError(no_access(deployment, "webhook", "list"))
    return Access(os.environ, options=deployment.place)


def _run(
    target: Target,
    through_registrar: "Callable[[ManagedWebhook], Report | None]",
    directly: "Callable[[Access, Registration], Report | None]",
    *,
    as_json: bool,
    declared: "Sequence[object]" = (),
    show: "Callable[..., None] | None" = None,
) -> None:
    """Do something through a deployment's registrar or directly, and show what came of it.

    `declared` are the options that the registrar does not take. `show` prints what `directly`
    returns, by default as one webhook; None is not shown.
    """
    from hooks.webhook import actions

    access = _access(target)
    if access.managed:
        _only_declared(*declared)
        done = through_registrar(access.managed)
        show = access.managed.show
    else:
        with access.registration() as registration:
            done = directly(access, registration)
        show = show or actions.show
    if done is not None:
        show(done, as_json=as_json)


def _only_declared(*given: object) -> None:
    """Refuse options that change what Terraform declares."""
    from hooks.errors import UsageError

    if any(each is not None and each != "" for each in given):
        raise UsageError(
            "the registrar takes the name, the URI, the events, the state and the signing secret"
            " from Terraform: change them there, and apply"
        )
