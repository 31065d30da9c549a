"""Which deployment the operator's commands act on, and what is where in it.

Nothing is guessed from the surroundings: without a word about it, that is the stack which runs in
this directory, so that nobody touches production by accident.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hooks import stackfile
from hooks.errors import NoStack, UsageError
from localcloud.laptop.names import Names
from relay.dispatcher.routes import EVENTS

INGRESS = "ingress"
DEAD_LETTER = "dead-letter"
PUBSUB = "PUBSUB_EMULATOR_HOST"
FIRESTORE = "FIRESTORE_EMULATOR_HOST"

_MAX_OUTPUTS_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Where:
    """What the command line says: a file of outputs, or a project and a name, or nothing."""

    outputs: Path | None = None
    project: str = ""
    name: str = ""
    database: str = ""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What is where; topics and subscriptions by their full names.

    `topics` maps `ingress`, `events`, `dead-letter` and the names of routes. `subscribers` maps
    the names of those that Terraform made, and that have dead letters, to what they read from,
    `subscription` and `dead_letter_subscription`. `gemini_url` is
    empty for Gemini itself. `webhook_url` and `registrar_url` are empty where they are not known.
    `variables` holds the emulators that stand in for Google Cloud; `local` says that this is one
    of the stacks that `hooks` runs.
    """

    project: str
    topics: Mapping[str, str]
    dead_letters: str
    database: str
    webhook_url: str = ""
    registrar_url: str = ""
    gemini_url: str = ""
    subscribers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    local: bool = False

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
    """Return the deployment that is meant.

    `environ` may name emulators. Raises `UsageError` for what contradicts itself or cannot be read,
    and `NoStack` where nothing is named and no stack runs here.
    """
    if where.outputs and where.project:
        raise UsageError("give --outputs or --project, not both: the outputs name the project")
    if where.outputs:
        return _of_outputs(_read(where.outputs), _emulators(environ))
    if where.project:
        return _of_names(where, _emulators(environ))
    if where.name or where.database:
        raise UsageError("--name and --database go with --project")
    try:
        return of_stack(stackfile.find())
    except NoStack as error:
        raise NoStack(f"{error}; or name a deployment, with --outputs or --project") from error


def of_stack(running: stackfile.Description) -> Deployment:
    """Return the deployment that a stack of this machine is."""
    variables = running.variables
    project = variables["GOOGLE_CLOUD_PROJECT"]
    name = running.topics[INGRESS].rpartition("/")[2].removesuffix(f"-{INGRESS}")
    return Deployment(
        project=project,
        topics=running.topics,
        dead_letters=Names(project, name).dead_letters,
        # `hooks dev` has but the default database; what Terraform deploys has its own.
        database=name if running.command == "deploy" else "(default)",
        webhook_url=running.receive_url,
        gemini_url=running.gemini_url,
        variables=variables,
        local=True,
    )


def _of_names(where: Where, emulators: Mapping[str, str]) -> Deployment:
    names = Names(where.project, where.name or "gemini-webhooks")
    return Deployment(
        project=where.project,
        topics={INGRESS: names.ingress, EVENTS: names.events, DEAD_LETTER: names.dead_letter},
        dead_letters=names.dead_letters,
        database=where.database or names.name,
        variables=emulators,
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
            subscribers={
                key: each
                for key, each in outputs["subscriptions"].items()
                if each["dead_letter_subscription"]
            },
            variables=emulators,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"--outputs lacks {error}: write it with `terraform -chdir=infra output -json`"
        ) from error


def _read(path: Path) -> Mapping[str, Any]:
    """Return outputs by name, from what `terraform output -json` or a plain object says."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_OUTPUTS_BYTES + 1)
        document = json.loads(content)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read {path}: {error}; write it with `terraform -chdir=infra output -json`"
        ) from error
    if not isinstance(document, dict):
        raise UsageError(f"{path} is not what `terraform -chdir=infra output -json` writes")
    return {
        name: output["value"] if isinstance(output, dict) and "value" in output else output
        for name, output in document.items()
    }


def _emulators(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[name] for name in (PUBSUB, FIRESTORE) if environ.get(name)}
