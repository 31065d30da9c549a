from collections.abc import Callable

import pytest
from google.api_core.exceptions import InvalidArgument
from google.pubsub_v1 import types

from tests.contract.pubsub.space import Space

Requires = Callable[..., None]

# Every filter here lets `settle` through, which marks the end.
MESSAGES: dict[bytes, dict[str, str]] = {
    b"blue batch": {"ce-type": "batch.succeeded", "meta-team": "blue"},
    b"red batch": {"ce-type": "batch.failed", "meta-team": "red"},
    b"video": {"ce-type": "video.generated"},
    b"bare": {},
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("attributes:ce-type", {b"blue batch", b"red batch", b"video"}),
        ("NOT attributes:ce-type", {b"bare"}),
        ('attributes.meta-team = "blue"', {b"blue batch"}),
        ('attributes.meta-team != "blue"', {b"red batch", b"video", b"bare"}),
        ('hasPrefix(attributes.ce-type, "batch.")', {b"blue batch", b"red batch"}),
        (
            'hasPrefix(attributes.ce-type, "batch.") AND attributes.meta-team = "red"',
            {b"red batch"},
        ),
        (
            'attributes.ce-type = "video.generated" OR attributes.meta-team = "blue"',
            {b"video", b"blue batch"},
        ),
        (
            'attributes:ce-type AND (attributes.meta-team = "red" OR NOT attributes:meta-team)',
            {b"red batch", b"video"},
        ),
        (
            'NOT (attributes:meta-team OR attributes.ce-type = "video.generated")',
            {b"bare"},
        ),
        ('attributes."ce-type" = "video.generated"', {b"video"}),
    ],
)
def test_only_what_matches_is_delivered(
    space: Space, requires: Requires, text: str, wanted: set[bytes]
) -> None:
    requires("filters")
    topic = space.topic()
    subscription = space.subscription(topic, filter=f"attributes:settle OR ({text})")
    for data, attributes in MESSAGES.items():
        space.publish(topic, data, **attributes)
    assert set(space.settle(topic, subscription)) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "attributes",
        "attributes.k = v",
        'labels.k = "v"',
        "attributes:a AND attributes:b OR attributes:c",
        "(attributes:a",
        'hasSuffix(attributes.k, "v")',
        "attributes:" + "k" * 256,
    ],
)
def test_malformed_filters_are_refused(space: Space, requires: Requires, text: str) -> None:
    requires("filters", "validation")
    topic = space.topic()
    with pytest.raises(InvalidArgument):
        space.subscription(topic, filter=text)


def test_a_filter_never_changes(space: Space, requires: Requires) -> None:
    requires("filters", "validation")
    topic = space.topic()
    name = space.subscription(topic, filter="attributes:k")
    changed = types.Subscription(name=name, filter="attributes:other")
    with pytest.raises(InvalidArgument):
        space.subscriber.update_subscription(
            subscription=changed, update_mask={"paths": ["filter"]}
        )
