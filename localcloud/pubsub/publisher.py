"""The service google.pubsub.v1.Publisher."""

from typing import Any

from google.pubsub_v1 import types

from localcloud.core.rpc import Method, Service
from localcloud.pubsub.broker import Broker
from localcloud.pubsub.errors import already_exists
from localcloud.pubsub.masks import merge
from localcloud.pubsub.paging import page
from localcloud.pubsub.protos import Empty, refused
from localcloud.pubsub.subscription import DELETED_TOPIC
from localcloud.pubsub.topic import Topic
from localcloud.pubsub.validation import check_publish, check_topic

_Topic = types.Topic.pb()
_FIXED = frozenset({"name", "state", "satisfies_pzs", "tags"})


class PublisherService:
    """The methods of the Publisher; each takes and returns raw protobuf messages.

    Every method raises `RpcError` as the service does.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def create_topic(self, request: Any) -> Any:
        """Create a topic, with the settings given."""
        proto = _copy(request)
        proto.state = _Topic.State.Value("ACTIVE")
        check_topic(proto)
        if proto.name in self._broker.topics:
            raise already_exists(proto.name)
        self._broker.topics[proto.name] = Topic(proto)
        return _copy(proto)

    async def update_topic(self, request: Any) -> Any:
        """Change the fields of a topic that the mask names."""
        topic = self._broker.topic(request.topic.name)
        proto = merge(
            topic.proto,
            request.topic,
            request.update_mask,
            fixed=_FIXED,
            request="UpdateTopicRequest",
        )
        check_topic(proto)
        topic.proto = proto
        for subscription in topic.subscriptions.values():
            self._broker.refresh(subscription)
        return _copy(proto)

    async def publish(self, request: Any) -> Any:
        """Publish messages, all or none, and return their ids."""
        topic = self._broker.topic(request.topic)
        check_publish(request)
        stored = [
            self._broker.publish(topic, message.data, message.attributes, message.ordering_key)
            for message in request.messages
        ]
        return types.PublishResponse.pb()(
            message_ids=[message.proto.message_id for message in stored]
        )

    async def get_topic(self, request: Any) -> Any:
        """Return a topic."""
        return _copy(self._broker.topic(request.topic).proto)

    async def list_topics(self, request: Any) -> Any:
        """Return a project's topics, in pages, in the order of their names."""
        prefix = f"{request.project}/topics/"
        found = (name for name in self._broker.topics if name.startswith(prefix))
        names, token = page(found, request.page_size, request.page_token)
        topics = [self._broker.topics[name].proto for name in names]
        return types.ListTopicsResponse.pb()(topics=topics, next_page_token=token)

    async def delete_topic(self, request: Any) -> Any:
        """Delete a topic; its subscriptions stay, with what they have."""
        topic = self._broker.topic(request.topic)
        del self._broker.topics[request.topic]
        for subscription in topic.subscriptions.values():
            subscription.proto.topic = DELETED_TOPIC
            self._broker.refresh(subscription)
        return Empty()

    def methods(self) -> Service:
        """Return the service as a table of methods."""

        def method(request: Any, reply: Any, handler: Any) -> Method:
            return Method("unary_unary", request, reply, handler)

        return {
            "CreateTopic": method(_Topic, _Topic, self.create_topic),
            "UpdateTopic": method(types.UpdateTopicRequest.pb(), _Topic, self.update_topic),
            "Publish": method(types.PublishRequest.pb(), types.PublishResponse.pb(), self.publish),
            "GetTopic": method(types.GetTopicRequest.pb(), _Topic, self.get_topic),
            "ListTopics": method(
                types.ListTopicsRequest.pb(), types.ListTopicsResponse.pb(), self.list_topics
            ),
            "DeleteTopic": method(types.DeleteTopicRequest.pb(), Empty, self.delete_topic),
            **refused(
                {
                    "ListTopicSubscriptions": types.ListTopicSubscriptionsRequest,
                    "ListTopicSnapshots": types.ListTopicSnapshotsRequest,
                    "DetachSubscription": types.DetachSubscriptionRequest,
                }
            ),
        }


def _copy(proto: Any) -> Any:
    copied = _Topic()
    copied.CopyFrom(proto)
    return copied
