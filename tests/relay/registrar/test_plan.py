import pytest

from relay.gemini.webhooks import Webhook
from relay.registrar.plan import alike, differences, listed
from relay.registrar.settings import Settings


def webhook(identifier: str, uri: str) -> Webhook:
    return Webhook(identifier, "relay", uri, frozenset(), "enabled")


A = webhook("a", "https://relay.example")
B = webhook("b", "https://relay.example/")
C = webhook("c", "https://relay.example/c")
NAMELESS = webhook("", "https://relay.example/d")


def test_listed_finds_by_id_and_never_by_none() -> None:
    assert listed([A, B, C], "b") == B
    assert listed([A, B, C], "x") is None
    assert listed([NAMELESS], "") is None


def test_alike_finds_by_uri() -> None:
    assert alike([A, B, C], "https://relay.example") == (A, B)
    assert alike([A, B, C], "https://relay.example/", but="a") == (B,)
    assert alike([A, B, C], "https://relay.example/c/") == ()


def settings(uri: str) -> Settings:
    environ = {
        "WEBHOOK_URI": uri,
        "WEBHOOK_NAME": "relay",
        "SIGNING_SECRET": "projects/my-project/secrets/signing-secret",
        "GEMINI_API_KEY": "key",
    }
    return Settings.read(environ)


@pytest.mark.parametrize(
    ("wanted", "registered"),
    [
        ("https://Relay.Example/a", "https://relay.example/a"),
        ("HTTPS://relay.example/a", "https://relay.example/a"),
        ("https://relay.example:443", "https://relay.example/"),
        ("https://relay.example?x=1", "https://relay.example/?x=1"),
        ("http://localhost:80/", "http://localhost"),
        ("https://[2001:DB8::1]/", "https://[2001:db8::1]"),
    ],
)
def test_another_spelling_of_the_uri_is_no_difference(wanted: str, registered: str) -> None:
    ours = Webhook("a", "relay", registered, frozenset(settings(wanted).events), "enabled")
    assert differences(ours, settings(wanted)) == {}
    assert alike([ours], wanted) == (ours,)


@pytest.mark.parametrize(
    ("wanted", "registered"),
    [
        ("https://relay.example/a", "https://relay.example/A"),
        ("https://relay.example/", "http://relay.example/"),
        ("https://relay.example:8443/", "https://relay.example/"),
        ("https://relay.example/a", "https://relay.example/a/"),
        ("https://relay.example/?x=1", "https://relay.example/?x=2"),
        ("https://a@relay.example/", "https://A@relay.example/"),
        ("https://relay.example:x/", "https://relay.example:y/"),
    ],
)
def test_another_endpoint_is_a_difference(wanted: str, registered: str) -> None:
    other = Webhook("a", "relay", registered, frozenset(settings(wanted).events), "enabled")
    assert differences(other, settings(wanted)) == {"uri": wanted}
    assert alike([other], wanted) == ()
