import pytest

from hooks.webhook.states import explain


def test_an_enabled_webhook_needs_nothing() -> None:
    assert explain("enabled", "wh_1") == ("", "")


@pytest.mark.parametrize("state", ["disabled", "disabled_due_to_failed_deliveries", "new", ""])
def test_any_other_state_is_explained_with_how_to_leave_it(state: str) -> None:
    meaning, remedy = explain(state, "wh_1")
    assert meaning
    assert "hooks webhook update wh_1 --state enabled" in remedy
