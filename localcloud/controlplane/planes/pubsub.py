"""Pub/Sub's REST form, in front of the embedded Pub/Sub."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from google.pubsub_v1 import types

from localcloud.controlplane.api import ApiCall, Route, invoke, message
from localcloud.controlplane.encryption import check_key
from localcloud.controlplane.errors import ApiError
from localcloud.controlplane.planes.resource_policy import policy_routes
from localcloud.controlplane.planes.sinks import check_sink
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json
from localcloud.core.rpc import Service

_TOPIC = "projects/{project}/topics/{topic}"
_SUBSCRIPTION = "projects/{project}/subscriptions/{subscription}"
_PUBLISHER = "google.pubsub.v1.Publisher"
_SUBSCRIBER = "google.pubsub.v1.Subscriber"


class PubSubPlane:
    """Translates; topics and subscriptions live in the emulator, policies here."""

    service: ClassVar[str] = "pubsub.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"pubsub_custom_endpoint": "pubsub/v1/"}

    def __init__(self, state: State, emulator: Mapping[str, Service]) -> None:
        self._state = state
        self._publisher = emulator[_PUBLISHER]
        self._subscriber = emulator[_SUBSCRIBER]

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        prefix = "pubsub/v1/"
        return [
            *policy_routes(self._state, prefix, _TOPIC, self._topic_exists),
            *policy_routes(self._state, prefix, _SUBSCRIPTION, self._subscription_exists),
            Route("PUT", prefix + _TOPIC, self._create_topic),
            Route("GET", prefix + _TOPIC, self._get_topic),
            Route("PATCH", prefix + _TOPIC, self._update_topic),
            Route("DELETE", prefix + _TOPIC, self._delete_topic),
            Route("GET", f"{prefix}projects/{{project}}/topics", self._list_topics),
            Route("PUT", prefix + _SUBSCRIPTION, self._create_subscription),
            Route("GET", prefix + _SUBSCRIPTION, self._get_subscription),
            Route("PATCH", prefix + _SUBSCRIPTION, self._update_subscription),
            Route("DELETE", prefix + _SUBSCRIPTION, self._delete_subscription),
            Route("GET", f"{prefix}projects/{{project}}/subscriptions", self._list_subscriptions),
        ]

    async def _topic_exists(self, name: str) -> Json:
        request = message(types.GetTopicRequest.pb(), {"topic": name})
        return await invoke(self._publisher, "GetTopic", request)

    async def _subscription_exists(self, name: str) -> Json:
        request = message(types.GetSubscriptionRequest.pb(), {"subscription": name})
        return await invoke(self._subscriber, "GetSubscription", request)

    async def _create_topic(self, call: ApiCall) -> Json:
        check_key(self._state, call.body.get("kmsKeyName"), self._state.agent(self.service))
        topic = message(types.Topic.pb(), {**call.body, "name": self._topic(call)})
        return await invoke(self._publisher, "CreateTopic", topic)

    async def _get_topic(self, call: ApiCall) -> Json:
        return await self._topic_exists(self._topic(call))

    async def _update_topic(self, call: ApiCall) -> Json:
        value = self._update(call, "topic", self._topic(call))
        request = message(types.UpdateTopicRequest.pb(), value)
        return await invoke(self._publisher, "UpdateTopic", request)

    async def _delete_topic(self, call: ApiCall) -> Json:
        name = self._topic(call)
        request = message(types.DeleteTopicRequest.pb(), {"topic": name})
        answer = await invoke(self._publisher, "DeleteTopic", request)
        self._state.policies.delete(name)
        return answer

    async def _list_topics(self, call: ApiCall) -> Json:
        value = {"project": f"projects/{call.names['project']}"}
        request = message(types.ListTopicsRequest.pb(), value)
        return await invoke(self._publisher, "ListTopics", request)

    async def _create_subscription(self, call: ApiCall) -> Json:
        given = {**call.body, "name": self._subscription(call)}
        self._state.check_caller(
            call.identity, "pubsub.topics.attachSubscription", str(given.get("topic", ""))
        )
        await self._check(call, given)
        subscription = message(types.Subscription.pb(), given)
        return await invoke(self._subscriber, "CreateSubscription", subscription)

    async def _get_subscription(self, call: ApiCall) -> Json:
        return await self._subscription_exists(self._subscription(call))

    async def _update_subscription(self, call: ApiCall) -> Json:
        name = self._subscription(call)
        current = await self._subscription_exists(name)
        await self._check(call, {**current, **call.body.get("subscription", {})})
        value = self._update(call, "subscription", name)
        request = message(types.UpdateSubscriptionRequest.pb(), value)
        return await invoke(self._subscriber, "UpdateSubscription", request)

    async def _delete_subscription(self, call: ApiCall) -> Json:
        name = self._subscription(call)
        request = message(types.DeleteSubscriptionRequest.pb(), {"subscription": name})
        answer = await invoke(self._subscriber, "DeleteSubscription", request)
        self._state.policies.delete(name)
        return answer

    async def _list_subscriptions(self, call: ApiCall) -> Json:
        value = {"project": f"projects/{call.names['project']}"}
        request = message(types.ListSubscriptionsRequest.pb(), value)
        return await invoke(self._subscriber, "ListSubscriptions", request)

    async def _check(self, call: ApiCall, subscription: Json) -> None:
        letters = subscription.get("deadLetterPolicy", {}).get("deadLetterTopic")
        if letters:
            await self._topic_exists(letters)
        account = subscription.get("pushConfig", {}).get("oidcToken", {}).get("serviceAccountEmail")
        if account and f"{self._state.root}/serviceAccounts/{account}" not in self._state.resources:
            raise ApiError("NOT_FOUND", f"Service account {account} does not exist.")
        if account:
            self._state.check_may_act_as(call.identity, account)
        check_sink(self._state, subscription)

    def _topic(self, call: ApiCall) -> str:
        return self._state.project.by_id(_TOPIC.format(**call.names))

    def _subscription(self, call: ApiCall) -> str:
        return self._state.project.by_id(_SUBSCRIPTION.format(**call.names))

    @staticmethod
    def _update(call: ApiCall, kind: str, name: str) -> Json:
        # The google provider puts the mask into the query, where the REST API takes it too.
        mask = call.mask()
        masked = {"updateMask": ",".join(mask)} if mask else {}
        return {**call.body, **masked, kind: {**call.body.get(kind, {}), "name": name}}
