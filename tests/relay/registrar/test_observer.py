import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from relay.errors import GeminiRefused
from relay.gcp.store import LedgerUnavailable, Snapshot
from relay.registrar.observer import Observer
from tests.relay.registrar.world import World


async def test_waiting_ends_when_another_request_reaches_the_generation(world: World) -> None:
    site = await world.site()
    waiting = asyncio.create_task(site.observer().wait("g1", 1e6))
    await site.controller().converge()
    report = await waiting
    assert (report.in_sync, report.generation) == (True, "g1")


async def test_waiting_outlasts_an_outage_of_firestore(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    store = site.store()
    outages = 2

    class Flickering:
        async def read(self, document: str) -> Snapshot | None:
            nonlocal outages
            outages -= 1
            if outages >= 0:
                raise LedgerUnavailable("ledger-ServiceUnavailable")
            return await store.read(document)

        async def create(self, document: str, fields: Mapping[str, Any]) -> Any:
            raise AssertionError(document, fields)

        async def update(self, document: str, fields: Mapping[str, Any], version: Any) -> Any:
            raise AssertionError(document, fields, version)

    observer = replace(site.observer(), store=Flickering())
    assert (await observer.wait("g1", 1e6)).in_sync


async def test_a_disabled_or_lost_secret_is_reported(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    name = f"{site.settings.signing_secret}/versions/1"
    await world.secrets.disable_secret_version({"name": name})
    assert "disabled or destroyed" in (await site.observer().look()).reason
    await site.controller().converge()
    lease_free = await site.state()
    document = world.firestore.document(site.collection, "webhook")
    await document.update({"pending": "revoke_previous_secrets_after_h24"})
    assert (await site.observer().look()).reason == "The signing secret is not stored."
    assert lease_free.pending == ""


async def test_a_pending_generation_is_not_in_sync(world: World) -> None:
    site = await world.site()
    await site.controller().converge()
    site.settings = replace(site.settings, generation="g2")
    report = await site.observer().look()
    assert (report.in_sync, report.generation) == (False, "g1")


async def test_a_problem_of_another_generation_is_not_the_reason(world: World) -> None:
    site = await world.site(uri="http://not-https.example/")
    with pytest.raises(GeminiRefused, match="https"):
        await site.controller().converge()
    assert "https" in (await site.observer().wait("g1", 0)).reason
    site.settings = replace(site.settings, generation="g2")
    assert "No converge" in (await site.observer().wait("g2", 0)).reason


def test_an_observer_has_no_method_that_writes() -> None:
    assert {name for name in vars(Observer) if not name.startswith("_")} == {
        "look",
        "wait",
        "pause",
    }
