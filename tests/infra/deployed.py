"""Helpers for the tests of a deployment that Terraform has applied to the local cloud."""

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from hooks.subscription import listening
from localcloud.controlplane.cloud import Cloud
from localcloud.controlplane.door import INTERNAL
from localcloud.controlplane.journal import Entry
from localcloud.controlplane.realism import Realism
from localcloud.gemini.deliveries import Delivery
from localcloud.laptop.site import Options, Site, copy_deployable, site
from localcloud.laptop.terraform import Workspace
from tests.infra import deployer
from tests.infra.discovery import Referee
from tests.infra.workspace import missing_terraform

SECONDS = 120.0
NAME = "gemini-webhooks"
PLAN = "test.tfplan"
STATE = "terraform.tfstate"
ARCHIVES = ".terraform/*-source.zip"
UNKIND = Realism(rate=60)
"""All that Google does, in a sixtieth of the time: an apply waits for some seconds, not minutes."""

DEFAULT = [
    pytest.mark.long_apply,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(900),
]
"""Marks of the tests that share the default deployment, which lives on one event loop."""


@asynccontextmanager
async def deployment(
    directory: Path, *, referee: Referee | None = None, **options: Any
) -> AsyncIterator[Site]:
    """Yield a site on which nothing is applied yet.

    It is as unkind as Google, and its deployer has the documented roles alone. A referee checks
    every call.
    """
    if reason := missing_terraform():
        pytest.skip(reason)
    referee = referee or Referee()
    unkind = Options(
        directory=directory,
        deployer_roles=sorted(deployer.ROLES),
        **{"realism": UNKIND, **options},
    )
    async with site(unkind) as made:
        made.cloud.state.journal.listeners.append(referee)
        yield made
    assert not referee.disagreements, dict(referee.disagreements)


class Subscriber:
    """Receives the messages of a topic, as the deployer."""

    def __init__(self, messages: Any) -> None:
        self._messages = messages
        self.received: list[Any] = []

    async def receives(self, deliveries: Sequence[Delivery]) -> None:
        """Return once every delivery's event has arrived."""
        missing = {delivery.message.event_id for delivery in deliveries}
        missing -= {message.attributes.get("ce-id") for message in self.received}
        async with asyncio.timeout(SECONDS):
            while missing:
                missing.discard((await self.receive()).attributes.get("ce-id"))

    async def receive(self) -> Any:
        """Return the next message."""
        message = await anext(aiter(self._messages))
        self.received.append(message)
        return message


@asynccontextmanager
async def subscribed(made: Site, topic: str) -> AsyncIterator[Subscriber]:
    """Subscribe to a topic by its full name."""
    address = await made.cloud.address_for(made.cloud.state.deployer)
    async with listening(topic, emulator=address) as messages:
        yield Subscriber(messages)


async def answered(made: Site, deliveries: Sequence[Delivery]) -> list[int | None]:
    """Return the first answer to each delivery."""
    async with asyncio.timeout(SECONDS):
        while not all(delivery.attempts for delivery in deliveries):
            await made.gemini.courier.settled(deliveries, 0.2)
    return [delivery.attempts[0].status for delivery in deliveries]


async def taken(made: Site, deliveries: Sequence[Delivery]) -> bool:
    """Tell whether all are acknowledged in the end; a busy machine may refuse one first."""
    await made.gemini.courier.settled(deliveries, SECONDS)
    return all(delivery.state == "delivered" for delivery in deliveries)


async def push_answered(made: Site, message_id: str, mark: int, times: int = 1) -> Entry:
    """Return the push of a message that is its `times`-th after a mark, once it is answered.

    Only pushes of this message count: one of an earlier message may still be in flight.
    """
    journal, call = made.cloud.state.journal, f"PUSH {message_id}"

    def wanted(entry: Entry) -> bool:
        return entry.call == call and times <= sum(e.call == call for e in journal.since(mark))

    async with asyncio.timeout(SECONDS):
        return await journal.seen(wanted, mark)


async def deliveries_arrive(made: Site) -> None:
    outputs = await made.terraform.outputs()
    url = outputs["webhook_url"]
    async with subscribed(made, outputs["topics"]["events"]) as subscriber:
        genuine = [
            *made.gemini.emit("batch.succeeded"),
            *made.gemini.emit("interaction.completed", uris=[url], scheme="v1a"),
            *made.gemini.emit("video.generated", uris=[url], scheme="jwt"),
        ]
        assert await taken(made, genuine)
        # The keys are loaded by now, for which a busy machine may have needed several attempts.
        forged = made.gemini.emit("batch.failed", uris=[url], forgery="wrong-key")
        assert await answered(made, forged) == [401]
        await subscriber.receives(genuine)
        assert "batch.failed" not in {
            message.attributes["ce-type"] for message in subscriber.received
        }


async def reads_only(made: Site, *arguments: str) -> str:
    """Plan into `PLAN`, and check every log: only reads may stand there. Return the output."""
    mark, heard = made.cloud.state.journal.mark(), len(made.gemini.gate.log)
    shown = await made.terraform.plan(*arguments, f"-out={PLAN}")
    assert made.cloud.state.journal.writes(mark) == []
    # The schedules go on meanwhile; in sync, they too only read at Gemini.
    calls = list(made.gemini.gate.log)[heard:]
    assert {call.method for call in calls} <= {"GET"}
    asked = [entry for entry in made.cloud.state.journal.since(mark) if "-wait@" in entry.identity]
    assert {entry.call.split()[0] for entry in asked} <= {"GET"}
    return shown


async def fire(made: Site, job: str) -> int:
    """Run a schedule at once; return the status that it was answered with."""
    name = f"{made.cloud.state.root}/locations/europe-west1/jobs/{job}"
    return await made.cloud.scheduler.fire(name)


async def set_converging(made: Site, verb: str) -> None:
    job = f"{made.cloud.state.root}/locations/europe-west1/jobs/{NAME}-converge"
    await rest(made, "POST", f"/cloudscheduler/v1/{job}:{verb}")
    # A run that has begun goes on.
    await made.cloud.scheduler.idle()


async def invoke_as(
    made: Site,
    member: str,
    function: str,
    *,
    method: str = "GET",
    path: str = "/",
    internal: bool = True,
) -> int:
    """Call a function as a member, with its own identity token; return the status."""
    project, email = made.cloud.state.project, member.partition(":")[2]
    audience = f"https://{NAME}-{function}-{project.number}.europe-west1.run.app"
    headers = {
        "Authorization": f"Bearer {made.cloud.state.issuer.identity_token(email, audience)}",
        **({INTERNAL: made.cloud.network.mark} if internal else {}),
    }
    name = f"{made.cloud.state.root}/locations/europe-west1/functions/{NAME}-{function}"
    async with httpx2.AsyncClient(trust_env=False, timeout=SECONDS) as client:
        url = f"{made.cloud.deployments[name].url}{path}"
        return (await client.request(method, url, headers=headers)).status_code


async def rest(
    made: Site, method: str, path: str, body: Any = None, *, who: str = "owner"
) -> dict[str, Any]:
    """Call the local cloud's REST API, as an owner by default; a failed operation fails as well."""
    headers = {"Authorization": f"Bearer {who}"}
    async with httpx2.AsyncClient(
        base_url=made.cloud.url, headers=headers, trust_env=False, timeout=SECONDS
    ) as client:
        found: dict[str, Any] = (await client.request(method, path, json=body)).json()
        if "/operations/" in found.get("name", ""):
            api = "/".join(path.split("/")[1:3])
            found = (await client.get(f"/{api}/{found['name']}")).json()
    if "error" in found:
        raise Refused(found["error"]["message"])
    return found


class Refused(Exception):
    """The local cloud refused a call."""


async def changes(made: Site, variables: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what other variables would change: actions by address, without data sources."""
    before = dict(made.terraform.variables)
    made.terraform.variables |= variables
    try:
        await made.terraform.plan("-refresh=false", "-out=change.tfplan")
        plan = await made.terraform.show("change.tfplan")
    finally:
        made.terraform.variables = before
    return {
        change["address"]: change["change"]["actions"]
        for change in plan.get("resource_changes", ())
        if change["mode"] == "managed" and change["change"]["actions"] != ["no-op"]
    }


async def applied_elsewhere(made: Site, directory: Path) -> None:
    """Apply `PLAN` on another machine, as `docs/deploy.md` has a pipeline do it.

    That has a checkout, the state, the plan with the archive that it uploads, and the API key.
    """
    copy_deployable(directory)
    here, there = made.terraform.directory, directory / made.options.root
    carried = [PLAN, STATE, *(f".terraform/{path.name}" for path in here.glob(ARCHIVES))]
    assert len(carried) == 3
    (there / ".terraform").mkdir()
    for name in carried:
        shutil.copy(here / name, there / name)
    elsewhere = Workspace(
        there,
        endpoints=made.cloud.endpoints,
        proxy=made.cloud.outside.url,
        variables={"gemini_api_key": made.terraform.variables["gemini_api_key"]},
    )
    await elsewhere.init()
    await elsewhere.apply(PLAN)
    shutil.copy(there / STATE, here / STATE)


def has_access_tokens_alone(made: Site, directory: Path) -> None:
    """Leave the deployer a gcloud with access tokens alone, as in a pipeline without a key."""
    gcloud = directory / "gcloud"
    gcloud.write_text('#!/bin/sh\ncase "$*" in *access-token) echo x;; *) exit 1;; esac\n')
    gcloud.chmod(0o755)
    made.terraform.environ |= {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS": f"{made.cloud.url}/iamcredentials/",
        "PATH": f"{directory}{os.pathsep}{os.environ['PATH']}",
        "REGISTRAR_IDENTITY_TOKEN": "",
    }


async def everything_kept(made: Site) -> str:
    """Return all that Terraform keeps: its state and the last plan, as JSON and as stored."""
    shown = [await made.terraform.show(), await made.terraform.show(PLAN)]
    raw = [path.read_text() for path in made.terraform.directory.glob("terraform.tfstate*")]
    return json.dumps(shown) + "".join(raw)


async def secrets_of(made: Site) -> list[str]:
    """Return every value that any version of any secret holds."""
    listed = await rest(made, "GET", f"/secretmanager/v1/{made.cloud.state.root}/secrets")
    found = []
    for secret in listed["secrets"]:
        versions = await rest(made, "GET", f"/secretmanager/v1/{secret['name']}/versions")
        for version in versions["versions"]:
            accessed = await rest(made, "GET", f"/secretmanager/v1/{version['name']}:access")
            found.append(base64.b64decode(accessed["payload"]["data"]).decode())
    return found


async def emulated(cloud: Cloud, service: str, method: str, **fields: Any) -> Any:
    """Call an emulator's method past IAM; return its reply."""
    services = {**cloud.pubsub.services, **cloud.firestore.services, **cloud.secrets.services}
    definition: Any = services[service][method]
    return await definition.handler(definition.request(**fields))


async def may(cloud: Cloud, member: str, service: str, method: str, **fields: Any) -> bool:
    """Tell whether a member's own gRPC call of a method passes IAM, whatever becomes of it then."""
    services = {**cloud.pubsub.services, **cloud.firestore.services, **cloud.secrets.services}
    definition = services[service][method]
    request = definition.request(**fields)
    address = await cloud.address_for(member)
    async with grpc.aio.insecure_channel(address) as channel:
        kind = "unary_stream" if definition.kind == "unary_stream" else "unary_unary"
        call = getattr(channel, kind)(
            f"/{service}/{method}",
            request_serializer=definition.request.SerializeToString,
            response_deserializer=definition.reply.FromString,
        )(request)
        try:
            if kind == "unary_stream":
                async for _ in call:
                    pass
            else:
                await call
        except grpc.aio.AioRpcError as error:
            return error.code() is not grpc.StatusCode.PERMISSION_DENIED
    return True
