
from tests.relay.registrar.world import World


async def test_converge_registers_stores_and_pings(world: World) -> None:
    site = await world.site()
    assert await site.controller().converge()
    await site.check()
    await world.gemini.courier.quiet()
    assert [delivery.event_type for delivery in world.gemini.account] == ["webhook.ping"]
    assert not await site.controller().converge()
    assert len([*world.gemini.account]) == 1
