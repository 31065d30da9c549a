"""Creates the topics, subscriptions and secret that Terraform creates in a deployment.

Existing ones are used as they are, since an emulator may outlive the stack; only the push
subscription, whose endpoint is this stack's, is recreated, and deleted with the stack. Where the
stack's state is kept, it is kept too, and pushes nothing between two runs.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from google.api_core.exceptions import AlreadyExists, GoogleAPIError, NotFound
from google.cloud.secretmanager_v1 import Replication, Secret, SecretPayload
from google.pubsub_v1 import SubscriberAsyncClient, Subscription, Topic
from google.pubsub_v1.types import (
    DeadLetterPolicy,
    ExpirationPolicy,
    PushConfig,
    RetryPolicy,
    UpdateSubscriptionRequest,
)

from localcloud.core import clients
from localcloud.core.errors import LocalCloudError
from localcloud.laptop.names import Names

_KEPT = timedelta(days=31)
_RETAINED = timedelta(days=7)
_OF_THE_RUN = ("ack_deadline_seconds", "push_config", "dead_letter_policy", "retry_policy")


@dataclass(frozen=True)
class PushTimes:
    """The pace of the ingress subscription, by default the deployed one's; times in seconds."""

    acknowledge_within: int = 90
    minimum_backoff: float = 10.0
    maximum_backoff: float = 600.0
    attempts: int = 100


@contextlib.asynccontextmanager
async def provision(
    names: Names,
    pubsub: str,
    *,
    endpoint: str,
    topics: Iterable[str] = (),
    times: PushTimes | None = None,
    keep: bool = False,
) -> AsyncIterator[None]:
    """Create the topics and subscriptions at `pubsub` (`host:port`) for the block.

    `topics` are further ones, by full name. The ingress topic is pushed to `endpoint`. `keep`
    leaves the push subscription with its messages for the next run. Raises `LocalCloudError` if
    Pub/Sub does not answer there, or refuses.
    """
    wanted = (names.ingress, names.events, names.dead_letter, *topics)
    push = _push_subscription(names, endpoint, times or PushTimes())
    async with clients.publisher(pubsub) as publisher, clients.subscriber(pubsub) as subscriber:
        with _refusals_explained(pubsub):
            for topic in dict.fromkeys(wanted):
                with contextlib.suppress(AlreadyExists):
                    await publisher.create_topic(_topic(names, topic), retry=None)
            with contextlib.suppress(AlreadyExists):
                await subscriber.create_subscription(_dead_letters(names), retry=None)
    async with pushing(pubsub, push, keep=keep):
        yield


@contextlib.asynccontextmanager
async def pushing(pubsub: str, push: Subscription, *, keep: bool = False) -> AsyncIterator[None]:
    """Have a push subscription at `pubsub` (`host:port`) for the block.

    One of its name that an earlier run left is replaced, unless `keep`, which also leaves this one
    with its messages for the next run. Raises `LocalCloudError` as `provision` does.
    """
    async with clients.subscriber(pubsub) as subscriber:
        with _refusals_explained(pubsub):
            await _push(subscriber, push, keep=keep)
        try:
            yield
        finally:
            # The emulator may have stopped already, and the subscription with it.
            with contextlib.suppress(GoogleAPIError):
                await _stop_pushing(subscriber, push.name, keep=keep)


@contextlib.contextmanager
def _refusals_explained(pubsub: str) -> Iterator[None]:
    try:
        yield
    except GoogleAPIError as error:
        raise LocalCloudError(f"cannot use Pub/Sub at {pubsub}: {error}") from error


async def _push(subscriber: SubscriberAsyncClient, push: Subscription, *, keep: bool) -> None:
    try:
        if not keep:
            await subscriber.delete_subscription(subscription=push.name, retry=None)
        await subscriber.create_subscription(push, retry=None)
    except NotFound:
        await subscriber.create_subscription(push, retry=None)
    except AlreadyExists:
        await _update(subscriber, push, *_OF_THE_RUN)


async def _stop_pushing(subscriber: SubscriberAsyncClient, name: str, *, keep: bool) -> None:
    if keep:
        await _update(subscriber, Subscription(name=name), "push_config")
    else:
        await subscriber.delete_subscription(subscription=name, retry=None, timeout=5.0)


async def _update(
    subscriber: SubscriberAsyncClient, subscription: Subscription, *fields: str
) -> None:
    request = UpdateSubscriptionRequest(
        subscription=subscription, update_mask={"paths": list(fields)}
    )
    await subscriber.update_subscription(request, retry=None, timeout=5.0)


async def keep_signing_secret(names: Names, secret_manager: str, value: str) -> None:
    """Add a version to the signing secret at `secret_manager` (`host:port`), making the secret.

    Raises `LocalCloudError` if Secret Manager does not answer there, or refuses.
    """
    secret = Secret(replication=Replication(automatic=Replication.Automatic()))
    parent, _, identifier = names.signing_secret.partition("/secrets/")
    payload = SecretPayload(data=value.encode())
    async with clients.secret_manager(secret_manager) as client:
        try:
            with contextlib.suppress(AlreadyExists):
                await client.create_secret(
                    parent=parent, secret_id=identifier, secret=secret, retry=None
                )
            await client.add_secret_version(
                parent=names.signing_secret, payload=payload, retry=None
            )
        except GoogleAPIError as error:
            raise LocalCloudError(
                f"cannot use Secret Manager at {secret_manager}: {error}"
            ) from error


def _topic(names: Names, topic: str) -> Topic:
    # Retained messages can be replayed from the ingress topic.
    if topic == names.ingress:
        return Topic(name=topic, message_retention_duration=_RETAINED)
    return Topic(name=topic)


def _push_subscription(names: Names, endpoint: str, times: PushTimes) -> Subscription:
    token = PushConfig.OidcToken(service_account_email=names.push_identity, audience=endpoint)
    return Subscription(
        **_common(names.dispatch, names.ingress),
        ack_deadline_seconds=times.acknowledge_within,
        push_config=PushConfig(push_endpoint=endpoint, oidc_token=token),
        dead_letter_policy=DeadLetterPolicy(
            dead_letter_topic=names.dead_letter, max_delivery_attempts=times.attempts
        ),
        retry_policy=RetryPolicy(
            minimum_backoff=timedelta(seconds=times.minimum_backoff),
            maximum_backoff=timedelta(seconds=times.maximum_backoff),
        ),
    )


def _dead_letters(names: Names) -> Subscription:
    return Subscription(**_common(names.dead_letters, names.dead_letter), ack_deadline_seconds=60)


def _common(name: str, topic: str) -> Mapping[str, Any]:
    return {
        "name": name,
        "topic": topic,
        "message_retention_duration": _KEPT,
        # A policy without a time to live: the subscription never expires.
        "expiration_policy": ExpirationPolicy(),
    }
