from typing import Any

import pytest

from relay.errors import PublishRefused, PublishUnavailable, Unavailable
from relay.gcp.deadletter import MAX_ATTRIBUTES, dead_letter, publish_dead_letter

GIVEN = {"webhook-id": "evt_1", "dedup-key": "evt_1", "scheme": "v1"}


def test_a_dead_letter_is_the_message_and_its_reason() -> None:
    given = {**GIVEN, "reason": "old", "googclient_x": "1"}
    assert dead_letter(given, "not-json") == {**GIVEN, "reason": "not-json"}


def test_a_dead_letter_can_be_published_whatever_the_message_carried() -> None:
    attributes = dead_letter({f"a{number}": "x" for number in range(100)}, "not-json")
    assert len(attributes) == MAX_ATTRIBUTES
    assert attributes["reason"] == "not-json"


@pytest.mark.parametrize("error", [PublishRefused("odd"), PublishUnavailable("publish-deadline")])
async def test_a_dead_letter_that_is_not_published_is_kept_by_the_subscription(
    error: Exception,
) -> None:
    class Refusing:
        async def publish(self, *_message: Any, timeout: float) -> str:
            assert timeout == 5.0
            raise error

    with pytest.raises(Unavailable):
        await publish_dead_letter(Refusing(), "t", b"", GIVEN, "not-json", timeout=5.0)
