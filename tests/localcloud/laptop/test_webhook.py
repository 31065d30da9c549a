from localcloud.gemini import Gemini
from localcloud.laptop.webhook import registered
from tests.support.serving import serving


async def test_a_webhook_that_is_kept_is_led_to_the_next_address_with_its_secret() -> None:
    gemini = Gemini()
    kept: list[str] = []

    async def keep(secret: str) -> None:
        kept.append(secret)

    async with serving(gemini.app) as url:
        ids = []
        for port in (1, 2, 2):
            async with registered(url, f"http://127.0.0.1:{port}", keep) as webhook:
                ids.append(webhook.id)
    await gemini.close()

    [stored] = gemini.webhooks
    assert set(ids) == {stored.id}
    assert stored.uri == "http://127.0.0.1:2"
    assert [each.value for each in stored.secrets] == kept
