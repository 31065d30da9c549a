"""The checks before an apply: what would make `terraform apply` fail in a project.

Each becomes a finding, whose remedy is a command; no check changes anything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hooks.doctor.findings import Finding, failed, passed, skipped
from hooks.errors import HooksError
from hooks.google_apis import GoogleApis
from localcloud.laptop.names import Names

PROJECT = "the project can be seen"
BILLING = "billing is on"
PERMISSIONS = "you may apply"
SERVICES = "the services are enabled"
AGENTS = "the service agents exist"
POLICIES = "no organisation policy stands in the way"
QUOTA = "the quota of CPUs suffices"
LEFTOVERS = "nothing of an earlier deployment is left"

MAX_INSTANCES = 10
"""The default of a function's `max_instances` in infra/, each with one vCPU."""

ROLES: Mapping[str, str] = {
    "artifactregistry.repositories.create": "roles/artifactregistry.admin",
    "cloudfunctions.functions.create": "roles/cloudfunctions.admin",
    "cloudscheduler.jobs.create": "roles/cloudscheduler.admin",
    "datastore.databases.create": "roles/datastore.owner",
    "logging.notificationRules.create": "roles/logging.configWriter",
    "monitoring.alertPolicies.create": "roles/monitoring.editor",
    "resourcemanager.projects.setIamPolicy": "roles/resourcemanager.projectIamAdmin",
    "pubsub.topics.setIamPolicy": "roles/pubsub.admin",
    "iam.roles.create": "roles/iam.roleAdmin",
    "secretmanager.secrets.create": "roles/secretmanager.admin",
    "iam.serviceAccounts.create": "roles/iam.serviceAccountAdmin",
    "iam.serviceAccounts.actAs": "roles/iam.serviceAccountUser",
    "serviceusage.operations.get": "roles/serviceusage.serviceUsageAdmin",
    "storage.buckets.create": "roles/storage.admin",
}
"""A permission that an apply needs, and the role of docs/deploy.md that gives it."""

_AGENTS = {
    "artifactregistry": "gcp-sa-artifactregistry",
    "cloudfunctions": "gcf-admin-robot",
    "cloudscheduler": "gcp-sa-cloudscheduler",
    "pubsub": "gcp-sa-pubsub",
    "run": "serverless-robot-prod",
}
_SERVICES = (
    "artifactregistry",
    "cloudbuild",
    "cloudfunctions",
    "cloudresourcemanager",
    "cloudscheduler",
    "firestore",
    "iam",
    "iamcredentials",
    "pubsub",
    "run",
    "secretmanager",
    "serviceusage",
)
_POLICIES = {
    "iam.allowedPolicyMemberDomains": "it may forbid `allUsers`, without whom Gemini cannot reach"
    " the receiver",
    "iam.managed.allowedPolicyMembers": "it may forbid `allUsers`, without whom Gemini cannot reach"
    " the receiver",
    "run.managed.requireInvokerIam": "it forbids a service without an invoker check",
    "cloudfunctions.allowedIngressSettings": "it may forbid the receiver's ingress from everywhere",
    "cloudfunctions.requireVPCConnector": "it asks for a connector on every function",
    "gcp.resourceLocations": "it may forbid the region",
}
# https://cloud.google.com/run/quotas; limits of this metric are in thousandths of a vCPU.
_CPU_METRIC = "run.googleapis.com/cpu_allocation"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be applied: into which project and region, under which name."""

    project: str
    region: str
    name: str


Check = Callable[[GoogleApis, Plan], Awaitable[Finding]]


async def preflight(apis: GoogleApis, plan: Plan) -> list[Finding]:
    """Make every check before an apply, and return the findings; raises `HooksError`."""
    first = await _project(apis, plan)
    if first.status != "ok":
        return [first, *(skipped(name, "the project cannot be seen") for name, _ in _CHECKS)]
    found = await asyncio.gather(*(_made(name, check, apis, plan) for name, check in _CHECKS))
    return [first, *found]


async def _made(name: str, check: Check, apis: GoogleApis, plan: Plan) -> Finding:
    try:
        return await check(apis, plan)
    except HooksError as error:
        return failed(name, str(error), "try again")


async def _project(apis: GoogleApis, plan: Plan) -> Finding:
    answer = await apis("GET", "cloudresourcemanager", f"v3/projects/{plan.project}")
    if answer.ok:
        return passed(PROJECT, f"{plan.project} is {answer.document.get('state', 'there')}")
    if "SERVICE_DISABLED" in str(answer.document) or "has not been used" in answer.reason:
        return failed(PROJECT, answer.reason, _enable(plan, ["cloudresourcemanager"]))
    remedy = f"check the id, or create it: `gcloud projects create {plan.project}`"
    return failed(PROJECT, f"{answer.status}: {answer.reason}", remedy)


async def _billing(apis: GoogleApis, plan: Plan) -> Finding:
    answer = await apis("GET", "cloudbilling", f"v1/projects/{plan.project}/billingInfo")
    if not answer.ok:
        return skipped(BILLING, f"{answer.status}: {answer.reason}")
    if answer.document.get("billingEnabled"):
        return passed(BILLING, str(answer.document.get("billingAccountName", "an account pays")))
    remedy = (
        f"`gcloud billing projects link {plan.project} --billing-account ACCOUNT`;"
        " `gcloud billing accounts list` names the accounts"
    )
    return failed(BILLING, "no billing account pays for the project", remedy)


async def _permissions(apis: GoogleApis, plan: Plan) -> Finding:
    answer = await apis(
        "POST",
        "cloudresourcemanager",
        f"v3/projects/{plan.project}:testIamPermissions",
        {"permissions": list(ROLES)},
    )
    if not answer.ok:
        return skipped(PERMISSIONS, f"{answer.status}: {answer.reason}")
    missing = sorted(ROLES.keys() - set(answer.document.get("permissions", ())))
    if not missing:
        return passed(PERMISSIONS, f"all of {len(ROLES)} permissions, one of each role")
    grants = " && ".join(
        f"gcloud projects add-iam-policy-binding {plan.project} --role {ROLES[each]}"
        " --member user:YOUR_ACCOUNT"
        for each in missing
    )
    # Not resolved by the shell, which is the owner's.
    remedy = f"have an owner run `{grants}`, with your account for YOUR_ACCOUNT"
    return failed(PERMISSIONS, f"you lack {', '.join(missing)}", remedy)


async def _services(apis: GoogleApis, plan: Plan) -> Finding:
    names = "&".join(
        f"names=projects/{plan.project}/services/{each}.googleapis.com" for each in _SERVICES
    )
    path = f"v1/projects/{plan.project}/services:batchGet?{names}"
    answer = await apis("GET", "serviceusage", path)
    if not answer.ok:
        remedy = _enable(plan, ["serviceusage"])
        return failed(SERVICES, f"{answer.status}: {answer.reason}", remedy)
    enabled = {
        str(service["name"]).rpartition("/")[2].partition(".")[0]
        for service in answer.document.get("services", ())
        if service.get("state") == "ENABLED"
    }
    missing = [each for each in _SERVICES if each not in enabled]
    if not missing:
        return passed(SERVICES, f"all {len(_SERVICES)}")
    return failed(SERVICES, f"not enabled: {', '.join(missing)}", _enable(plan, missing))


def _enable(plan: Plan, services: list[str]) -> str:
    names = " ".join(f"{each}.googleapis.com" for each in services)
    return f"`gcloud services enable {names} --project {plan.project}`"


async def _agents(apis: GoogleApis, plan: Plan) -> Finding:
    path = f"v3/projects/{plan.project}:getIamPolicy"
    answer = await apis("POST", "cloudresourcemanager", path, {})
    if not answer.ok:
        return skipped(AGENTS, f"{answer.status}: {answer.reason}")
    members = {
        str(member).partition("@")[2].removesuffix(".iam.gserviceaccount.com")
        for binding in answer.document.get("bindings", ())
        for member in binding.get("members", ())
    }
    missing = [service for service, domain in _AGENTS.items() if domain not in members]
    if not missing:
        return passed(AGENTS, f"all {len(_AGENTS)} have their roles")
    # A grant to an agent that does not exist fails at once, and making one twice does no harm.
    makes = " && ".join(
        f"gcloud beta services identity create --service={each}.googleapis.com"
        f" --project {plan.project}"
        for each in missing
    )
    return failed(AGENTS, f"no grant names those of {', '.join(missing)}", f"`{makes}`")


async def _policies(apis: GoogleApis, plan: Plan) -> Finding:
    found: dict[str, str] = {}
    for constraint, effect in _POLICIES.items():
        path = f"v2/projects/{plan.project}/policies/{constraint}:getEffectivePolicy"
        answer = await apis("GET", "orgpolicy", path)
        if not answer.ok and answer.status != 404:
            remedy = f"to have them checked: {_enable(plan, ['orgpolicy'])}"
            return Finding(POLICIES, "skipped", f"{answer.status}: {answer.reason}", remedy)
        if any(_restricts(rule) for rule in _rules(answer.document)):
            found[constraint] = effect
    if not found:
        return passed(POLICIES, f"none of {len(_POLICIES)} is set")
    told = "; ".join(f"{constraint}: {effect}" for constraint, effect in found.items())
    looks = " && ".join(
        f"gcloud org-policies describe {each} --effective --project {plan.project}"
        for each in found
    )
    remedy = f"`{looks}`; docs/deploy.md says what to do about each"
    return failed(POLICIES, told, remedy)


def _rules(policy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    spec = policy.get("spec")
    yield from (spec.get("rules", ()) if isinstance(spec, Mapping) else ())


def _restricts(rule: Mapping[str, Any]) -> bool:
    """Tell whether a rule forbids anything.

    https://cloud.google.com/resource-manager/docs/reference/orgpolicy/rest/v2/organizations.policies#PolicyRule
    """
    return not rule.get("allowAll") and (
        bool(rule.get("denyAll")) or bool(rule.get("values")) or rule.get("enforce") is True
    )


async def _quota(apis: GoogleApis, plan: Plan) -> Finding:
    service = f"v1beta1/projects/{plan.project}/services/run.googleapis.com"
    path = f"{service}/consumerQuotaMetrics/{quote(_CPU_METRIC, safe='')}"
    answer = await apis("GET", "serviceusage", path)
    limits = [
        int(bucket["effectiveLimit"])
        for limit in answer.document.get("consumerQuotaLimits", ())
        for bucket in limit.get("quotaBuckets", ())
        if bucket.get("dimensions", {}).get("region") in (plan.region, None)
        and "effectiveLimit" in bucket
    ]
    # The most particular bucket comes last.
    allowed = limits[-1] if limits else None
    if allowed is None:
        return skipped(QUOTA, "Service Usage does not tell it")
    if allowed < 0 or allowed >= MAX_INSTANCES * 1000:
        return passed(QUOTA, f"{'unlimited' if allowed < 0 else allowed // 1000} vCPU")
    remedy = (
        f"set `max_instances = {allowed // 1000}` for each of `functions`, or ask for more at"
        f" `https://console.cloud.google.com/iam-admin/quotas?project={plan.project}`"
    )
    return failed(QUOTA, f"{allowed / 1000:g} vCPU, and a function may use {MAX_INSTANCES}", remedy)


async def _leftovers(apis: GoogleApis, plan: Plan) -> Finding:
    found: list[tuple[str, str]] = []
    unknown: list[str] = []
    for address, api, name in _resources(plan):
        answer = await apis("GET", api, f"{_VERSIONS[api]}/{name}")
        if answer.ok:
            found.append((address, name))
        elif answer.status != 404:
            # It may be there all the same.
            unknown.append(f"{name}: {answer.status}: {answer.reason}")
    if unknown and not found:
        return skipped(LEFTOVERS, "; ".join(unknown))
    if not found:
        return passed(LEFTOVERS, f"no resource has the names of {plan.name}")
    told = ", ".join(name for _, name in found)
    imports = " && ".join(
        f"terraform -chdir=infra import '{address}' {name}" for address, name in found
    )
    remedy = (
        "if Terraform's state has them, nothing; else take them over with"
        f" `{imports}`, or set another `name`"
    )
    return failed(LEFTOVERS, f"these exist: {told}", remedy)


_VERSIONS = {"firestore": "v1", "pubsub": "v1", "secretmanager": "v1", "cloudfunctions": "v2"}


def _resources(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Yield the address, API and name of each resource whose name an apply would find taken."""
    names = Names(plan.project, plan.name)
    yield (
        "module.ledger.google_firestore_database.ledger",
        "firestore",
        f"projects/{plan.project}/databases/{plan.name}",
    )
    yield 'module.topics.google_pubsub_topic.topics["ingress"]', "pubsub", names.ingress
    yield 'module.topics.google_pubsub_topic.topics["events"]', "pubsub", names.events
    yield (
        "module.secrets.google_secret_manager_secret.signing",
        "secretmanager",
        names.signing_secret,
    )


_CHECKS: tuple[tuple[str, Check], ...] = (
    (BILLING, _billing),
    (PERMISSIONS, _permissions),
    (SERVICES, _services),
    (AGENTS, _agents),
    (POLICIES, _policies),
    (QUOTA, _quota),
    (LEFTOVERS, _leftovers),
)
