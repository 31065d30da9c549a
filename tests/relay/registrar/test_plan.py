from relay.gemini.webhooks import Webhook
from relay.registrar.plan import alike, listed


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
