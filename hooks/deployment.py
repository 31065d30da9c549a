"""Which deployment a command acts on, and the names of its resources.

Without options it is the stack that runs in this directory, so that nobody touches production by
accident.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hooks import stackfile
from hooks.errors import NoStack, UsageError
from localcloud.laptop.names import Names
from relay.dispatcher.routes import EVENTS

DEFAULT_NAME = "gemini-webhooks"
INGRESS = "ingress"
DEAD_LETTER = "dead-letter"
PUBSUB = "PUBSUB_EMULATOR_HOST"
FIRESTORE = "FIRESTORE_EMULATOR_HOST"

_MAX_OUTPUTS_BYTES = 1 << 20
_ASKING = ("doctor", "webhook")
# These groups take no option but the one that names the deployment.
_WITHOUT_NAMES = ("jobs", "webhook")
_WITH_TOKEN = "REGISTRAR_IDENTITY_TOKEN=$(gcloud auth print-identity-token)"  # noqa: S105


@dataclass(frozen=True, kw_only=True)
class Where:
    """What the options name: a file of outputs, or a project and a name, or nothing."""

    outputs: Path | None = None
    project: str = ""
    name: str = ""
    database: str = ""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The names and addresses of a deployment's resources.

    `topics` maps `ingress`, `events`, `dead-letter` and the names of routes to full names.
    `subscribers` maps the subscribers that Terraform created to the full names `subscription` and
    `dead_letter_subscription`, which is empty where dead letters are not kept. `gemini_url` is
    empty for Gemini itself. `webhook_url`, `registrar_url` and `signing_secret` (a Secret Manager
    secret) are empty if unknown, `jobs_database` (an id) also where jobs are not followed.
    `token_url` gives tokens for a registrar on this machine. `variables` names the emulators that
    stand in for Google Cloud. `local` is True for a stack that `hooks` runs. `options` name the
    deployment on the command line.
    """

    project: str
    topics: Mapping[str, str]
    dead_letters: str
    database: str
    webhook_url: str = ""
    registrar_url: str = ""
    token_url: str = ""
    gemini_url: str = ""
    signing_secret: str = ""
    jobs_database: str = ""
    subscribers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    local: bool = False
    options: Sequence[str] = field(default=(), compare=False)

    @property
    def place(self) -> Sequence[str]:
        """The option that names this deployment, and its value; none for the stack of here."""
        return self.options[:2]

    def command(self, *words: str) -> str:
        """Return a `hooks` command that acts on this deployment, ready for a shell.

        A command that asks the registrar carries the token that it needs.
        """
        options = self.place if words[0] in _WITHOUT_NAMES else self.options
        command = shlex.join(["hooks", *words, *options])
        asking = words[0] in _ASKING and self.registrar_url and not self.token_url
        return f"{_WITH_TOKEN} {command}" if asking else command

    def subscriber(self, name: str) -> Mapping[str, str]:
        """Return the subscriptions of a subscriber: one of `subscribers`, or of `hooks subscribe`.

        Raises `UsageError` if there can be none.
        """
        if name in self.subscribers:
            return self.subscribers[name]
        if self.local:
            full = f"projects/{self.project}/subscriptions/{name}"
            return {"subscription": full, "dead_letter_subscription": f"{full}-dead-letter"}
        known = ", ".join(sorted(self.subscribers)) or "none: they are named by --outputs"
        raise UsageError(f"no subscriber is called {name!r}; known are {known}")

    @property
    def ingress(self) -> str:
        """The topic of verified deliveries."""
        return self.topics[INGRESS]

    @property
    def pubsub(self) -> str:
        """Pub/Sub's emulator as `host:port`, or empty."""
        return self.variables.get(PUBSUB, "")

    @property
    def firestore(self) -> str:
        """Firestore's emulator as `host:port`, or empty."""
        return self.variables.get(FIRESTORE, "")


def find(where: Where, environ: Mapping[str, str]) -> Deployment:
    """Return the deployment that the options name, or the stack that runs in this directory.

    `environ` may name emulators. Raises `UsageError` if the options contradict each other or the
    outputs cannot be read, and `NoStack` if nothing is named and no stack runs here.
    """
    if where.outputs and where.project:
        raise UsageError("give --outputs or --project, not both: the outputs name the project")
    if where.outputs:
        options = ("--outputs", str(where.outputs))
        return replace(_of_outputs(_read(where.outputs), _emulators(environ)), options=options)
    if where.project:
        return _of_names(where, _emulators(environ))
    if where.name or where.database:
        raise UsageError("--name and --database go with --project")
    try:
        return of_stack(stackfile.find())
    except NoStack as error:
        raise NoStack(f"{error}; or name a deployment with --outputs or --project") from error


def of_stack(stack: stackfile.Description) -> Deployment:
    """Return a stack on this machine as a deployment."""
    variables = stack.variables
    project = variables["GOOGLE_CLOUD_PROJECT"]
    name = stack.topics[INGRESS].rpartition("/")[2].removesuffix(f"-{INGRESS}")
    names = Names(project, name)
    return Deployment(
        project=project,
        topics=stack.topics,
        dead_letters=names.dead_letters,
        signing_secret=names.signing_secret,
        # `hooks dev` uses the default database; Terraform creates one.
        database=name if stack.command == "deploy" else "(default)",
        webhook_url=stack.receive_url,
        registrar_url=stack.registrar_url,
        token_url=stack.token_url,
        gemini_url=stack.gemini_url,
        jobs_database=variables.get("JOBS_DATABASE", ""),
        subscribers=stack.subscribers,
        variables=variables,
        local=True,
    )


def _of_names(where: Where, emulators: Mapping[str, str]) -> Deployment:
    names = Names(where.project, where.name or DEFAULT_NAME)
    return Deployment(
        project=where.project,
        topics={INGRESS: names.ingress, EVENTS: names.events, DEAD_LETTER: names.dead_letter},
        dead_letters=names.dead_letters,
        signing_secret=names.signing_secret,
        database=where.database or names.name,
        variables=emulators,
        options=[
            word
            for name in ("project", "name", "database")
            if (value := getattr(where, name))
            for word in (f"--{name}", value)
        ],
    )


def _of_outputs(outputs: Mapping[str, Any], emulators: Mapping[str, str]) -> Deployment:
    try:
        return Deployment(
            project=outputs["project"],
            topics=dict(outputs["topics"]),
            dead_letters=outputs["dead_letter_subscription"],
            database=outputs["ledger_database"],
            webhook_url=outputs["webhook_url"],
            registrar_url=outputs["registrar_url"],
            signing_secret=outputs.get("signing_secret", ""),
            jobs_database=outputs.get("jobs_database") or "",
            subscribers=subscribers_of(outputs),
            variables=emulators,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"--outputs lacks {error}: write it with `terraform -chdir=infra output -json`"
        ) from error


def subscribers_of(outputs: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the subscriptions of each subscriber in Terraform's outputs, by full name."""
    return {
        name: _subscriptions(outputs["project"], each)
        for name, each in outputs["subscriptions"].items()
    }


def _subscriptions(project: str, output: Mapping[str, Any]) -> dict[str, str]:
    """Return a subscriber's subscriptions by full name; Terraform writes one of them short."""
    names = {kind: output[kind] or "" for kind in ("subscription", "dead_letter_subscription")}
    return {
        kind: name if "/" in name or not name else f"projects/{project}/subscriptions/{name}"
        for kind, name in names.items()
    }


def _read(path: Path) -> Mapping[str, Any]:
    """Return the outputs by name, from `terraform output -json` or a plain object."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_OUTPUTS_BYTES + 1)
        document = json.loads(content)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read {path}: {error}; write it with `terraform -chdir=infra output -json`"
        ) from error
    if not isinstance(document, dict):
        raise UsageError(f"{path} does not hold what `terraform -chdir=infra output -json` writes")
    return {
        name: output["value"] if isinstance(output, dict) and "value" in output else output
        for name, output in document.items()
    }


def _emulators(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[name] for name in (PUBSUB, FIRESTORE) if environ.get(name)}
