"""Builds: a function's source, environment and secrets, and the permissions they need.

https://cloud.google.com/functions/docs/building,
https://cloud.google.com/functions/docs/securing/build-custom-sa
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from localcloud.controlplane.deployments import Revision
from localcloud.controlplane.errors import ApiError, invalid
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

Surroundings = Callable[[str], Awaitable[Mapping[str, str]]]
"""Returns the variables by which a service account's function reaches the emulators."""

ReadSecret = Callable[[str, str], Awaitable[str]]
"""Returns the payload of a secret version to a member; `ApiError` if it may not access it."""


class Objects(Protocol):
    """Storage of source archives."""

    def read(self, identity: str, bucket: str, name: str) -> bytes:
        """Return an object's content to a member that may read it; `ApiError` otherwise."""
        ...


class Builder:
    """Turns a function's description into a revision that can be run."""

    def __init__(
        self, state: State, objects: Objects, surroundings: Surroundings, read_secret: ReadSecret
    ) -> None:
        self._state = state
        self._objects = objects
        self._surroundings = surroundings
        self._read_secret = read_secret

    def build(self, name: str, function: Json) -> Revision:
        """Return what a function's description asks for; `ApiError` if it may not be built."""
        build, service = function["buildConfig"], function["serviceConfig"]
        self._check_build(name, build)
        source = build.get("source", {}).get("storageSource", {})
        agent = self._state.agent("cloudfunctions.googleapis.com")
        archive = self._objects.read(agent, source.get("bucket", ""), source.get("object", ""))
        short = name.rpartition("/")[2]
        number, location = self._state.project.number, name.split("/")[3]
        return Revision(
            name=short,
            service=service_of(name),
            archive=archive,
            runtime=build.get("runtime", ""),
            build_environ=build.get("environmentVariables", {}),
            entry_point=build.get("entryPoint", ""),
            environment=lambda: self._environment(name, service),
            internal=service.get("ingressSettings") == "ALLOW_INTERNAL_ONLY",
            audiences=frozenset({f"https://{short}-{number}.{location}.run.app"}),
            timeout=float(service.get("timeoutSeconds", 60)),
        )

    def _check_build(self, name: str, build: Json) -> None:
        """Refuse a build whose service account lacks a permission that Cloud Build needs."""
        email = build["serviceAccount"].rpartition("/")[2]
        member = f"serviceAccount:{email}"
        location = name.rpartition("/functions/")[0]
        # The service copies the archive here first; the build reads the copy.
        copies = f"gcf-v2-sources-{self._state.project.number}-{location.split('/')[-1]}"
        repository = self._state.project.by_id(
            build.get("dockerRepository") or f"{location}/repositories/gcf-artifacts"
        )
        if build.get("dockerRepository") and repository not in self._state.resources:
            raise invalid(f"The repository {repository} does not exist.")
        for permission, resource in (
            ("storage.objects.get", f"projects/_/buckets/{copies}/objects/{name}/source.zip"),
            ("artifactregistry.repositories.uploadArtifacts", repository),
            ("logging.logEntries.create", self._state.root),
        ):
            if not self._state.policies.allows(member, permission, resource):
                raise ApiError(
                    "INVALID_ARGUMENT",
                    f"Build failed: the service account {email} lacks {permission} on {resource}. "
                    "See https://cloud.google.com/functions/docs/troubleshooting"
                    "#build-service-account",
                )

    async def _environment(self, name: str, service: Json) -> Mapping[str, str]:
        account = service["serviceAccountEmail"]
        secrets = {
            item["key"]: await self._secret(account, item)
            for item in service.get("secretEnvironmentVariables", [])
        }
        short = name.rpartition("/")[2]
        platform = {"K_SERVICE": short, "K_CONFIGURATION": short, "K_REVISION": f"{short}-00001"}
        given = service.get("environmentVariables", {})
        around = await self._surroundings(f"serviceAccount:{account}")
        return {**platform, **around, **given, **secrets}

    async def _secret(self, account: str, item: Json) -> str:
        project = item.get("projectId") or self._state.project.id
        version = f"projects/{project}/secrets/{item['secret']}/versions/{item['version']}"
        try:
            return await self._read_secret(f"serviceAccount:{account}", version)
        except ApiError as error:
            if error.code != "PERMISSION_DENIED":
                raise
            raise ApiError(
                "FAILED_PRECONDITION",
                f"Permission denied on secret: {version} for Revision service account {account}. "
                "The service account used must be granted the 'Secret Manager Secret Accessor' "
                "role (roles/secretmanager.secretAccessor) at the secret, project or higher level.",
            ) from error


def service_of(function: str) -> str:
    """Return the name of the Cloud Run service behind a function."""
    return function.replace("/functions/", "/services/")
