from localcloud.gemini import Gemini
from localcloud.laptop.webhook import register


async def test_a_webhook_that_is_kept_is_led_to_the_next_address_with_its_secret() -> None:
    gemini = Gemini()
    kept: list[str] = []

    async def keep(secret: str) -> None:
        kept.append(secret)

    ids = [(await register(gemini, f"http://127.0.0.1:{port}", keep)).id for port in (1, 2, 2)]
    await gemini.close()

    [stored] = gemini.webhooks
    assert set(ids) == {stored.id}
    assert stored.uri == "http://127.0.0.1:2"
    assert [each.value for each in stored.secrets] == kept
