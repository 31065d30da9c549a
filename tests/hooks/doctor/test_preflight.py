"""The checks before an apply, against the local cloud with each fault injected."""

import re
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from google.cloud.secretmanager_v1 import types as secrets_api
from google.pubsub_v1 import types as pubsub_api

from hooks.doctor import preflight
from hooks.doctor.findings import Finding
from hooks.doctor.preflight import ROLES, Plan
from hooks.google_apis import GoogleApis
from localcloud.controlplane import Cloud, Settings
from localcloud.controlplane.realism import only
from localcloud.controlplane.roles import OWNER
from localcloud.core.clock import ManualClock

PAGE = Path(__file__).parents[3] / "docs/deploy.md"
PLAN = Plan(project="local-project", region="europe-west1", name="gemini-webhooks")
SERVICES = (*preflight._SERVICES, "orgpolicy")


def documented() -> list[str]:
    section = PAGE.read_text("utf-8").partition("### Who may apply")[2].partition("\n## ")[0]
    found = re.findall(r"^\| [^|]+`(roles/[\w.]+)`", section, re.MULTILINE)
    return list(dict.fromkeys(found))


async def token() -> str:
    return "x"


@asynccontextmanager
async def running(**settings: object) -> AsyncIterator[Cloud]:
    given = {"clock": ManualClock(), "deployer_roles": documented(), **settings}
    async with Cloud(Settings(**given)) as cloud:  # type: ignore[arg-type]
        for service in SERVICES:
            cloud.state.enable(f"{service}.googleapis.com")
        yield cloud


async def examined(cloud: Cloud, plan: Plan = PLAN) -> dict[str, Finding]:
    async with httpx2.AsyncClient(trust_env=False) as client:
        apis = GoogleApis(client, token, cloud.url + "/{api}")
        return {each.check: each for each in await preflight.preflight(apis, plan)}


async def failing(cloud: Cloud) -> Finding:
    """Return the one finding that is not well."""
    [finding] = [each for each in (await examined(cloud)).values() if each.status != "ok"]
    assert finding.remedy
    return finding


def command(finding: Finding) -> list[str]:
    [found] = re.findall(r"`((?:gcloud|terraform) [^`]+)`", finding.remedy)
    return shlex.split(found)


async def test_a_project_that_is_ready() -> None:
    async with running(realism=only(cpu_quota=20.0)) as cloud:
        found = await examined(cloud)
    assert {each.status for each in found.values()} == {"ok"}, found
    assert len(found) == 8


async def test_the_documented_deployer_may_make_every_check() -> None:
    async with running(realism=only(callers_need_permissions=True)) as cloud:
        found = await examined(cloud)
    assert {each.status for each in found.values()} == {"ok"}, found


async def test_a_project_that_cannot_be_seen() -> None:
    async with running() as cloud:
        found = await examined(cloud, Plan(project="another", region="r", name="n"))
    first, *others = found.values()
    assert (first.check, first.status) == (preflight.PROJECT, "failed")
    assert {each.status for each in others} == {"skipped"}


async def test_no_account_that_pays() -> None:
    async with running() as cloud:
        cloud.state.billed = False
        finding = await failing(cloud)
    assert finding.check == preflight.BILLING
    assert "gcloud billing projects link local-project" in finding.remedy


def test_each_documented_role_is_asked_for() -> None:
    assert sorted(ROLES.values()) == sorted(documented())


@pytest.mark.parametrize("role", documented())
async def test_a_missing_role_is_named(role: str) -> None:
    others = [each for each in documented() if each != role]
    async with running(deployer_roles=others) as cloud:
        finding = await failing(cloud)
    assert finding.check == preflight.PERMISSIONS
    assert role in command(finding)
    # An owner's shell would put the owner's account in.
    assert "$(" not in finding.remedy
    assert "user:YOUR_ACCOUNT" in command(finding)


async def test_a_service_that_is_not_enabled() -> None:
    async with running() as cloud:
        cloud.state.resources.delete(f"{cloud.state.root}/services/pubsub.googleapis.com")
        found = await examined(cloud)
    finding = found[preflight.SERVICES]
    assert finding.status == "failed"
    assert command(finding)[:4] == ["gcloud", "services", "enable", "pubsub.googleapis.com"]


async def test_a_service_agent_that_is_not_there_yet() -> None:
    async with running(realism=only(agent_creation_seconds=60.0)) as cloud:
        for service in preflight._AGENTS.keys() - {"pubsub"}:
            cloud.state.create_agents(f"{service}.googleapis.com")
        finding = await failing(cloud)
        assert finding.check == preflight.AGENTS
        assert "--service=pubsub.googleapis.com" in command(finding)
        cloud.state.create_agents("pubsub.googleapis.com")
        assert (await examined(cloud))[preflight.AGENTS].status == "ok"


@pytest.mark.parametrize(
    ("constraint", "rule"),
    [
        ("iam.allowedPolicyMemberDomains", {"values": {"allowedValues": ["C01"]}}),
        ("gcp.resourceLocations", {"denyAll": True}),
        ("run.managed.requireInvokerIam", {"enforce": True}),
    ],
)
async def test_an_organisation_policy_in_the_way(constraint: str, rule: dict[str, object]) -> None:
    async with running() as cloud:
        cloud.state.org_policies[constraint] = [rule]
        finding = await failing(cloud)
    assert finding.check == preflight.POLICIES
    assert constraint in finding.detail
    assert constraint in command(finding)


async def test_organisation_policies_that_cannot_be_read() -> None:
    async with running() as cloud:
        cloud.state.resources.delete(f"{cloud.state.root}/services/orgpolicy.googleapis.com")
        finding = (await examined(cloud))[preflight.POLICIES]
    assert finding.status == "skipped"
    assert "orgpolicy.googleapis.com" in finding.remedy


async def test_a_quota_that_is_too_small() -> None:
    async with running(realism=only(cpu_quota=4.0)) as cloud:
        finding = await failing(cloud)
    assert finding.check == preflight.QUOTA
    assert "max_instances = 4" in finding.remedy


async def test_what_an_earlier_deployment_left() -> None:
    async with running(deployer_roles=[OWNER]) as cloud:
        pubsub = cloud.pubsub.services["google.pubsub.v1.Publisher"]
        await pubsub["CreateTopic"].handler(
            pubsub_api.Topic.pb()(name="projects/local-project/topics/gemini-webhooks-ingress")
        )
        secrets = cloud.secrets.services["google.cloud.secretmanager.v1.SecretManagerService"]
        await secrets["CreateSecret"].handler(
            secrets_api.CreateSecretRequest.pb()(
                parent="projects/local-project",
                secret_id="gemini-webhooks-signing-secret",
                secret=secrets_api.Secret.pb()(replication={"automatic": {}}),
            )
        )
        finding = await failing(cloud)
    assert finding.check == preflight.LEFTOVERS
    words = command(finding)
    assert words.count("import") == 2
    assert 'module.topics.google_pubsub_topic.topics["ingress"]' in words
    assert "module.secrets.google_secret_manager_secret.signing" in words


async def test_what_may_not_be_read_is_not_taken_for_absent() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        status = 403 if "/topics/" in request.url.path else 404
        return httpx2.Response(status, json={"error": {"message": "not for you"}})

    transport = httpx2.MockTransport(answer)
    async with httpx2.AsyncClient(transport=transport) as client:
        found = await preflight._leftovers(GoogleApis(client, token), PLAN)
    assert (found.check, found.status) == (preflight.LEFTOVERS, "skipped")
    assert "topics/gemini-webhooks-ingress: 403: not for you" in found.detail
    assert "databases" not in found.detail
