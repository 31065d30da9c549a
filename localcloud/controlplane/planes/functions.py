"""Cloud Functions v2: builds from the uploaded archive, then deploys to Cloud Run.

https://cloud.google.com/functions/docs/building
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.builds import Builder, service_of
from localcloud.controlplane.deployments import Deployments
from localcloud.controlplane.encryption import check_key
from localcloud.controlplane.errors import ApiError, invalid, service_disabled
from localcloud.controlplane.operations import Operations
from localcloud.controlplane.planes.resource_policy import policy_routes
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json
from localcloud.core.errors import StartFailed
from localcloud.runner.environment import BuildFailed

_PREFIX = "cloudfunctions/v2/"
_LOCATION = "projects/{project}/locations/{location}"
_FUNCTION = f"{_LOCATION}/functions/{{function}}"
_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_RUNTIME = re.compile(r"python3(9|10|11|12|13|14)")
_MEMORY = re.compile(r"\d+(k|M|G|Ki|Mi|Gi)?")
# https://cloud.google.com/functions/docs/securing/cmek#grant_service_accounts_access_to_the_key
_KEY_USERS = (
    "cloudfunctions.googleapis.com",
    "artifactregistry.googleapis.com",
    "eventarc.googleapis.com",
    "run.googleapis.com",
    "storage.googleapis.com",
)
_READ_REPOSITORY = ("artifactregistry.repositories.get", "artifactregistry.repositories.list")
_NEEDED = ("run.googleapis.com", "cloudbuild.googleapis.com", "artifactregistry.googleapis.com")


class CloudFunctions:
    """Deploys functions; each operation is done once the function answers."""

    service: ClassVar[str] = "cloudfunctions.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"cloudfunctions2_custom_endpoint": _PREFIX}

    def __init__(self, state: State, builder: Builder, deployments: Deployments) -> None:
        self._state = state
        self._builder = builder
        self._deployments = deployments
        self._operations = Operations(state, _PREFIX, f"{_LOCATION}/")
        self._revisions = itertools.count(1)

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        return [
            *policy_routes(self._state, _PREFIX, _FUNCTION, self._exists),
            Route("POST", f"{_PREFIX}{_LOCATION}/functions", self._create),
            Route("GET", f"{_PREFIX}{_LOCATION}/functions", self._list),
            Route("GET", _PREFIX + _FUNCTION, self._get),
            Route("PATCH", _PREFIX + _FUNCTION, self._patch),
            Route("DELETE", _PREFIX + _FUNCTION, self._delete),
            *self._operations.routes(),
        ]

    async def _exists(self, name: str) -> Json:
        return self._state.resources.get(name)

    def _name(self, call: ApiCall) -> str:
        return self._state.project.by_id(_FUNCTION.format(**call.names))

    async def _create(self, call: ApiCall) -> Json:
        function = call.query.get("functionId", "")
        if not _ID.fullmatch(function):
            raise invalid(f"Could not validate the function id {function!r}.")
        location = self._state.project.by_id(_LOCATION.format(**call.names))
        name = f"{location}/functions/{function}"
        if name in self._state.resources:
            raise ApiError("ALREADY_EXISTS", f"Resource '{name}' already exists")
        now = self._state.timestamp()
        return await self._deploy(call, name, {**call.body, "name": name, "createTime": now})

    async def _list(self, call: ApiCall) -> Json:
        location = self._state.project.by_id(_LOCATION.format(**call.names))
        return {"functions": self._state.resources.under(f"{location}/functions/")}

    async def _get(self, call: ApiCall) -> Json:
        return self._state.resources.get(self._name(call))

    async def _patch(self, call: ApiCall) -> Json:
        name = self._name(call)
        before = self._state.resources.get(name)
        changed = self._state.resources.patch(name, call.body, call.mask())
        self._state.resources.put(name, before)
        return await self._deploy(call, name, changed)

    async def _delete(self, call: ApiCall) -> Json:
        name = self._name(call)
        self._state.resources.delete(name)
        self._state.resources.delete(service_of(name))
        for resource in (name, service_of(name)):
            self._state.policies.delete(resource)
        await self._deployments.remove(name)
        return self._operations.done(call.names, {})

    async def _deploy(self, call: ApiCall, name: str, function: Json) -> Json:
        self._validate(call, function)
        try:
            self._check_quota(name, function["serviceConfig"])
            self._check_repository(function["buildConfig"].get("dockerRepository", ""))
            revision = self._builder.build(name, function)
            uri = await self._deployments.deploy(name, revision)
        except ApiError as error:
            return self._operations.failed(call.names, error)
        except BuildFailed as error:
            refusal = invalid(f"Build failed with status: FAILURE and message: {error}")
            return self._operations.failed(call.names, refusal)
        except StartFailed as error:
            refusal = ApiError("FAILED_PRECONDITION", _not_listening(name, error))
            return self._operations.failed(call.names, refusal)
        described = self._describe(name, function, uri)
        service = service_of(name)
        self._state.resources.put(service, {"name": service, "uri": uri})
        return self._operations.done(call.names, self._state.resources.put(name, described))

    def _validate(self, call: ApiCall, function: Json) -> None:
        build, service = function.get("buildConfig", {}), function.get("serviceConfig", {})
        for needed in _NEEDED:
            if not self._state.is_active(needed):
                raise service_disabled(needed, self._state.project.number)
        if not _RUNTIME.fullmatch(build.get("runtime", "")):
            raise invalid(f"The runtime {build.get('runtime')!r} is not supported.")
        if not _MEMORY.fullmatch(service.get("availableMemory", "256M")):
            raise invalid(f"The memory {service['availableMemory']!r} is no quantity.")
        cpu = service.get("availableCpu", "1")
        if float(cpu) < 1 and service.get("maxInstanceRequestConcurrency", 1) > 1:
            raise invalid("Total cpu < 1 is not supported with concurrency > 1.")
        for email in (service.get("serviceAccountEmail"), build.get("serviceAccount")):
            self._check_account(call.identity, str(email or ""))
        every = self._state.realism.keys_for_every_agent
        for handler in _KEY_USERS if every else (self.service,):
            check_key(self._state, function.get("kmsKeyName"), self._state.agent(handler))

    def _check_quota(self, name: str, service: Json) -> None:
        quota = self._state.realism.cpu_quota
        cpu = float(service.get("availableCpu", "1"))
        most = service.get("maxInstanceCount")
        if quota is None or most is None or most * cpu <= quota:
            return
        raise ApiError("INVALID_ARGUMENT", _over_quota(name.rpartition("/")[2], cpu, most, quota))

    def _check_repository(self, repository: str) -> None:
        agent, policies = self._state.agent(self.service), self._state.policies
        if repository and not all(
            policies.allows(
                agent,
                permission,
                repository,
                inherited=not self._state.realism.repository_granted_by_itself,
            )
            for permission in _READ_REPOSITORY
        ):
            raise ApiError("PERMISSION_DENIED", _unreadable(repository))

    def _check_account(self, caller: str, account: str) -> None:
        email = account.rpartition("/")[2]
        if f"{self._state.root}/serviceAccounts/{email}" not in self._state.resources:
            raise invalid(
                f"Service account {email or 'of the default'} was not found: name one that exists."
            )
        self._state.check_may_act_as(caller, email)

    def _describe(self, name: str, function: Json, uri: str) -> Json:
        project, location, short = self._state.project, name.split("/")[3], name.split("/")[-1]
        revision = f"{short}-{next(self._revisions):05}-loc"
        build = {
            **function["buildConfig"],
            "build": f"projects/{project.number}/locations/{location}/builds/{revision}",
        }
        source = build["source"]["storageSource"]
        # Google writes 64 bits as a string; callers may send a number.
        source["generation"] = str(source.get("generation", 1))
        service = {
            "ingressSettings": "ALLOW_ALL",
            "availableMemory": "256M",
            "timeoutSeconds": 60,
            "availableCpu": "1",
            "maxInstanceRequestConcurrency": 1,
            **function["serviceConfig"],
            "service": service_of(name),
            "uri": uri,
            "revision": revision,
            "allTrafficOnLatestRevision": True,
        }
        # https://cloud.google.com/functions/docs/monitoring/logging: set by the service itself.
        service["environmentVariables"] = {
            "LOG_EXECUTION_ID": "true",
            **service.get("environmentVariables", {}),
        }
        return {
            **function,
            "buildConfig": build,
            "serviceConfig": service,
            "state": "ACTIVE",
            "environment": "GEN_2",
            "updateTime": self._state.timestamp(),
            "url": f"https://{location}-{project.id}.cloudfunctions.net/{short}",
        }


def _over_quota(name: str, cpu: float, instances: int, quota: float) -> str:
    scale = "spec.template.metadata.annotations[autoscaling.knative.dev/maxScale]"
    requested, allowed = round(instances * cpu * 1000), round(quota * 1000)
    return (
        f"Could not create Cloud Run service {name}. {scale}: Max instances must be set to "
        f"{int(quota // cpu)} or fewer to set the requested total CPU.\nConsider running your "
        "workload in a region with greater capacity, or requesting an increase in quota for this "
        "region if you are seeing sustained usage near this limit, see "
        "https://cloud.google.com/run/quotas.\n\nQuota violated:\n"
        f"CpuAllocPerProjectRegion requested: {requested} allowed: {allowed}"
    )


def _unreadable(repository: str) -> str:
    return (
        f"Unable to retrieve the repository metadata for {repository}. Ensure that the Cloud "
        "Functions service account has 'artifactregistry.repositories.list' and "
        "'artifactregistry.repositories.get' permissions. You can add the permissions by granting "
        "the role 'roles/artifactregistry.reader'."
    )


def _not_listening(name: str, error: StartFailed) -> str:
    return (
        f"Could not create or update Cloud Run service {name.rpartition('/')[2]}, Container "
        "Healthcheck failed. The user-provided container failed to start and listen on the port "
        "defined provided by the PORT=8080 environment variable within the allocated timeout. "
        f"Logs: {error}"
    )
