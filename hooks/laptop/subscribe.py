"""What `hooks subscribe` does: it makes a subscription on the laptop stack as Terraform would."""

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from google.api_core.exceptions import AlreadyExists, GoogleAPICallError, NotFound
from google.pubsub_v1 import SubscriberAsyncClient, Subscription, Topic
from google.pubsub_v1.types import DeadLetterPolicy, ExpirationPolicy, PushConfig, RetryPolicy

from hooks import console, deployment, stackfile
from hooks.deployment import Deployment
from hooks.errors import HooksError, UsageError
from localcloud.core import clients
from relay.dispatcher.routes import EVENTS

_ATTEMPTS = 100
_KEPT = timedelta(days=31)
# What infra/ takes as the name of a subscriber; Pub/Sub wants three characters.
_NAME = re.compile(r"[a-z][a-z0-9-]{2,39}")
_LOCAL = ("localhost", "127.0.0.1", "::1")
_FIELDS = ("filter", "push_config", "dead_letter_policy")


@dataclass(frozen=True, kw_only=True)
class Options:
    """A subscription to the events topic.

    `push` is a URL, empty for a pull subscription. `replace` deletes one of that name that is
    different, with what it has not delivered.
    """

    name: str
    push: str
    message_filter: str
    dead_letter: bool
    replace: bool


async def subscribe(options: Options, *, json: bool) -> None:
    """Make the subscription in the stack of this directory, and print its entry for Terraform.

    Raises `NoStack`, `UsageError` for what Pub/Sub refuses, and `HooksError` if there is another
    subscription of that name.
    """
    if not _NAME.fullmatch(options.name):
        raise UsageError(
            f"NAME {options.name!r} needs 3 to 40 lower-case letters, digits and hyphens, a letter"
            " first, as Terraform asks"
        )
    stack = deployment.of_stack(stackfile.find())
    names = stack.subscriber(options.name)
    wanted = _wanted(stack, options, names["subscription"])
    async with clients.subscriber(stack.pubsub) as client:
        with _explained(options.name):
            if options.dead_letter:
                await _keep_dead_letters(stack, client, names["dead_letter_subscription"])
            created = await _create(client, wanted, replace=options.replace)
    _show(options, names, created=created, json=json)


def _wanted(stack: Deployment, options: Options, name: str) -> Subscription:
    push = dead_letter = None
    if options.push:
        pusher = f"{options.name}@{stack.project}.iam.gserviceaccount.com"
        token = PushConfig.OidcToken(service_account_email=pusher, audience=options.push)
        push = PushConfig(push_endpoint=options.push, oidc_token=token)
    if options.dead_letter:
        dead_letter = DeadLetterPolicy(
            dead_letter_topic=f"projects/{stack.project}/topics/{options.name}-dead-letter",
            max_delivery_attempts=_ATTEMPTS,
        )
    # The rest as in infra/modules/subscriber.
    return Subscription(
        name=name,
        topic=stack.topics[EVENTS],
        filter=options.message_filter,
        push_config=push,
        dead_letter_policy=dead_letter,
        ack_deadline_seconds=60,
        message_retention_duration=_KEPT,
        expiration_policy=ExpirationPolicy(),
        retry_policy=RetryPolicy(
            minimum_backoff=timedelta(seconds=10), maximum_backoff=timedelta(seconds=600)
        ),
    )


async def _keep_dead_letters(stack: Deployment, client: SubscriberAsyncClient, name: str) -> None:
    topic = name.replace("/subscriptions/", "/topics/")
    async with clients.publisher(stack.pubsub) as publisher:
        with contextlib.suppress(AlreadyExists):
            await publisher.create_topic(Topic(name=topic))
    kept = Subscription(
        name=name,
        topic=topic,
        ack_deadline_seconds=60,
        message_retention_duration=_KEPT,
        expiration_policy=ExpirationPolicy(),
    )
    with contextlib.suppress(AlreadyExists):
        await client.create_subscription(kept)


async def _create(client: SubscriberAsyncClient, wanted: Subscription, *, replace: bool) -> bool:
    """Return whether the subscription had to be created."""
    try:
        found = await client.get_subscription(subscription=wanted.name)
    except NotFound:
        await client.create_subscription(wanted)
        return True
    different = [name for name in _FIELDS if _told(found, name) != _told(wanted, name)]
    if not different:
        return False
    if not replace:
        raise HooksError(
            f"{wanted.name} exists with another {different[0]}; replace it, with what it has not"
            " delivered, by adding --replace"
        )
    await client.delete_subscription(subscription=wanted.name)
    await client.create_subscription(wanted)
    return True


def _told(subscription: Subscription, name: str) -> object:
    """Return what a user has chosen of a field; Pub/Sub adds to it."""
    if name == "push_config":
        return subscription.push_config.push_endpoint
    return getattr(subscription, name)


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except GoogleAPICallError as error:
        raise UsageError(f"cannot subscribe {name}: {error.message}") from error


def entry(options: Options) -> str:
    """Return the entry of the Terraform variable `subscribers` that makes the same in a project.

    What only the user knows is in capitals.
    """
    fields: dict[str, str] = {}
    if not options.dead_letter:
        fields["dead_letter"] = "null"
    if options.message_filter:
        fields["filter"] = _quoted(options.message_filter)
    if options.push:
        fields["push"] = f"{{ endpoint = {_quoted(_public(options.push))} }}"
    else:
        consumer = "serviceAccount:ACCOUNT@PROJECT.iam.gserviceaccount.com"
        fields["pull"] = f"{{ consumers = [{_quoted(consumer)}] }}"
    width = max(map(len, fields))
    lines = [f"    {name:<{width}} = {value}" for name, value in sorted(fields.items())]
    return "\n".join(["subscribers = {", f"  {options.name} = {{", *lines, "  }", "}"])


def _public(url: str) -> str:
    parts = urlsplit(url)
    if parts.hostname not in _LOCAL:
        return url
    return parts._replace(scheme="https", netloc="HOST").geturl()


def _quoted(text: str) -> str:
    # In HCL, ${ and %{ begin templates.
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _show(options: Options, names: Any, *, created: bool, json: bool) -> None:
    dead_letters = names["dead_letter_subscription"] if options.dead_letter else None
    if json:
        console.print_json(
            {
                "subscription": names["subscription"],
                "created": created,
                "filter": options.message_filter,
                "push": options.push or None,
                "dead_letters": dead_letters,
                "terraform": entry(options),
            }
        )
        return
    console.out.print(f"{'created' if created else 'exists'} {names['subscription']}")
    if dead_letters:
        console.out.print(f"dead letters: hooks dlq list --subscriber {options.name}")
    console.out.print("\nThe same in a deployment, in infra/, with what is in capitals replaced:\n")
    console.out.print(entry(options), markup=False)
