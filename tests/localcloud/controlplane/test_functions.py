import importlib.metadata
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from localcloud.controlplane import Cloud, Settings
from localcloud.controlplane.images import Images
from localcloud.core.clock import SystemClock
from localcloud.runner.environment import BuildFailed, user_cache
from localcloud.runner.process import FUNCTIONS
from tests.localcloud.controlplane.conftest import SERVICES, Api, Json

LOCATION = "/cloudfunctions/v2/projects/local-project/locations/europe-west1"
FUNCTION = f"{LOCATION}/functions/hello"
SERVICE = "/run/v2/projects/local-project/locations/europe-west1/services/hello"
MAIN = """
import os
import functions_framework

@functions_framework.http
def hello(request):
    return dict(os.environ)
"""
LOCK = (FUNCTIONS.parent / "requirements.txt").read_text()


@pytest.fixture
async def cloud() -> AsyncIterator[Cloud]:
    # A process lives by the machine's clock.
    async with Cloud(Settings(clock=SystemClock())) as running:
        yield running


@pytest.fixture
async def api(cloud: Cloud) -> AsyncIterator[Api]:
    for service in SERVICES:
        cloud.state.enable(f"{service}.googleapis.com")
    headers = {"Authorization": "Bearer x"}
    async with httpx2.AsyncClient(
        base_url=cloud.url, headers=headers, trust_env=False, timeout=90
    ) as client:
        yield Api(client)


async def upload(api: Api, main: str, lock: str = LOCK, name: str = "source.zip") -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", main)
        archive.writestr("requirements.txt", lock)
    body = (
        b'--edge\r\nContent-Type: application/json\r\n\r\n{"name": "%s"}\r\n'
        b"--edge\r\nContent-Type: application/zip\r\n\r\n%s\r\n--edge--\r\n"
    ) % (name.encode(), packed.getvalue())
    headers = {"Content-Type": "multipart/related; boundary=edge"}
    path = "/upload/storage/v1/b/local-source/o?uploadType=multipart"
    assert (await api.client.post(path, content=body, headers=headers)).status_code == 200


@pytest.fixture
async def function(cloud: Cloud, api: Api) -> Json:
    """Return a function that can be deployed."""
    for account in ("runner", "builder"):
        path = "/iam/v1/projects/local-project/serviceAccounts"
        await api("POST", path, {"accountId": account})
    await api("POST", "/storage/v1/b?project=local-project", {"name": "local-source"})
    await upload(api, MAIN)
    repositories = "/artifactregistry/v1/projects/local-project/locations/europe-west1/repositories"
    await api("POST", f"{repositories}?repositoryId=images", {"format": "DOCKER"})
    builder = "serviceAccount:builder@local-project.iam.gserviceaccount.com"
    project = "/cloudresourcemanager/v1/projects/local-project"
    policy = cloud.state.policies.get("projects/local-project")
    for role in ("artifactregistry.writer", "logging.logWriter", "storage.objectViewer"):
        policy["bindings"].append({"role": f"roles/{role}", "members": [builder]})
    await api("POST", f"{project}:setIamPolicy", {"policy": policy})
    repository = f"{repositories.partition('/v1/')[2]}/images"
    return {
        "buildConfig": {
            "runtime": "python313",
            "entryPoint": "hello",
            "source": {"storageSource": {"bucket": "local-source", "object": "source.zip"}},
            "serviceAccount": f"projects/local-project/serviceAccounts/{builder.partition(':')[2]}",
            "dockerRepository": repository,
        },
        "serviceConfig": {
            "serviceAccountEmail": "runner@local-project.iam.gserviceaccount.com",
            "environmentVariables": {"GREETING": "hello"},
        },
    }


async def deploy(api: Api, function: Json) -> Json:
    return await api("POST", f"{LOCATION}/functions?functionId=hello", function)


async def ask(uri: str) -> Json:
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        answer = await client.get(uri)
    assert answer.status_code == 200, answer.text
    found: Json = json.loads(answer.text)
    return found


async def make_public(api: Api) -> None:
    binding = {"role": "roles/run.invoker", "members": ["allUsers"]}
    await api("POST", f"{SERVICE}:setIamPolicy", {"policy": {"bindings": [binding]}})


async def test_a_function_is_deployed_updated_and_deleted(
    cloud: Cloud, api: Api, function: Json
) -> None:
    deployed = (await deploy(api, function))["response"]
    assert deployed["state"] == "ACTIVE"
    uri = deployed["serviceConfig"]["uri"]
    assert (await api("GET", SERVICE))["uri"] == uri
    await make_public(api)
    seen = await ask(uri)
    assert seen["GREETING"] == "hello"
    assert "TOKEN" not in seen
    member = "serviceAccount:runner@local-project.iam.gserviceaccount.com"
    assert seen["PUBSUB_EMULATOR_HOST"] == await cloud.address_for(member)

    change = {"serviceConfig": {"environmentVariables": {"GREETING": "goodbye"}}}
    path = f"{FUNCTION}?updateMask=serviceConfig.environmentVariables"
    changed = (await api("PATCH", path, change))["response"]
    assert changed["serviceConfig"]["uri"] == uri
    assert (await ask(uri))["GREETING"] == "goodbye"

    name = "projects/local-project/locations/europe-west1/functions/hello"
    await cloud.deployments[name].process.kill()
    assert (await ask(uri))["GREETING"] == "goodbye"

    await api("DELETE", FUNCTION)
    assert (await api.refused("GET", FUNCTION))[0] == "NOT_FOUND"
    assert list(cloud.deployments) == []


async def test_a_secret_is_mounted_only_for_an_account_that_may_access_it(
    api: Api, function: Json
) -> None:
    secrets = "/secretmanager/v1/projects/local-project/secrets"
    await api("POST", f"{secrets}?secretId=token", {"replication": {"automatic": {}}})
    await api("POST", f"{secrets}/token:addVersion", {"payload": {"data": "dG9rZW4="}})
    mounted = {"key": "TOKEN", "projectId": "local-project", "secret": "token", "version": "1"}
    function["serviceConfig"]["secretEnvironmentVariables"] = [mounted]
    refused = await deploy(api, function)
    assert "Permission denied on secret" in refused["error"]["message"]
    runner = "serviceAccount:runner@local-project.iam.gserviceaccount.com"
    binding = {"role": "roles/secretmanager.secretAccessor", "members": [runner]}
    await api("POST", f"{secrets}/token:setIamPolicy", {"policy": {"bindings": [binding]}})
    deployed = (await deploy(api, function))["response"]
    await make_public(api)
    assert (await ask(deployed["serviceConfig"]["uri"]))["TOKEN"] == "token"
    assert "dG9rZW4=" not in json.dumps(deployed)


async def test_a_function_sees_what_its_image_and_the_platform_give_it_and_nothing_else(
    api: Api, function: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVELOPERS", "own")
    uri = (await deploy(api, function))["response"]["serviceConfig"]["uri"]
    await make_public(api)
    seen = await ask(uri)
    assert Path(seen.pop("PATH").partition(":")[0]).is_relative_to(user_cache())
    assert seen.pop("HOME") == seen.pop("XDG_RUNTIME_DIR") != str(Path.home())
    assert {name for name in seen if not name.endswith("_EMULATOR_HOST")} == {
        *("FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE", "LC_CTYPE", "PYTHONUNBUFFERED"),
        *("PORT", "TZ", "K_SERVICE", "K_REVISION", "K_CONFIGURATION", "LOG_EXECUTION_ID"),
        *("GREETING", "SERVER_SOFTWARE"),
    }
    assert (seen["FUNCTION_TARGET"], seen["K_SERVICE"], seen["PORT"]) == ("hello", "hello", "8080")


def framework_alone() -> str:
    """Return the part of the lock that functions-framework needs."""
    needed, found = ["functions-framework"], set[str]()
    while needed:
        if (name := canonicalize_name(needed.pop())) not in found:
            found.add(name)
            requirements = map(Requirement, importlib.metadata.requires(name) or ())
            needed += [each.name for each in requirements if holds(each)]
    entries = re.findall(r"^\S.*?(?=^\S|\Z)", LOCK, re.MULTILINE | re.DOTALL)
    names = {entry: canonicalize_name(re.split(r"[\[=]", entry)[0]) for entry in entries}
    return "".join(entry for entry, name in names.items() if name in found)


def holds(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


async def test_a_lock_that_lacks_a_package_fails_the_deployment_with_the_functions_log(
    cloud: Cloud, api: Api, function: Json
) -> None:
    await upload(api, "import google_crc32c\n" + MAIN, framework_alone())
    message = (await deploy(api, function))["error"]["message"]
    assert "No module named 'google_crc32c'" in message
    assert list(cloud.deployments) == []


async def test_a_source_that_does_not_compile_fails_the_build(api: Api, function: Json) -> None:
    await upload(api, "def hello(:\n")
    message = (await deploy(api, function))["error"]["message"]
    assert "Build failed with status: FAILURE" in message
    assert "SyntaxError" in message


async def test_a_function_starts_from_what_its_build_compiled(api: Api, function: Json) -> None:
    body = 'return {"flags": open(__cached__, "rb").read()[4]}'
    await upload(api, MAIN.replace("return dict(os.environ)", body))
    function["buildConfig"]["environmentVariables"] = {"SOURCE_DATE_EPOCH": "1"}
    uri = (await deploy(api, function))["response"]["serviceConfig"]["uri"]
    await make_public(api)
    # A start that compiles anew leaves a file that names a time, which has no flag (PEP 552).
    assert await ask(uri) == {"flags": 0b11}


async def test_an_archive_that_is_no_zip_file_fails_the_build() -> None:
    images = Images()
    with pytest.raises(BuildFailed, match="no zip file"):
        await images.build(b"PK", "python313", print, {})
    images.close()


async def test_a_function_that_does_not_start_fails_its_operation(
    cloud: Cloud, api: Api, function: Json
) -> None:
    await upload(api, "raise SystemExit('out of order')\n")
    failed = await deploy(api, function)
    assert failed["done"] is True
    assert "failed to start and listen on the port" in failed["error"]["message"]
    assert "out of order" in failed["error"]["message"]
    assert list(cloud.deployments) == []
    assert (await api.refused("GET", FUNCTION))[0] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("role", "permission"),
    [
        ("artifactregistry.writer", "artifactregistry.repositories.uploadArtifacts"),
        ("logging.logWriter", "logging.logEntries.create"),
        ("storage.objectViewer", "storage.objects.get"),
    ],
)
async def test_a_build_needs_each_of_its_permissions(
    cloud: Cloud, api: Api, function: Json, role: str, permission: str
) -> None:
    (grant,) = (
        binding
        for binding in cloud.state.policies.bindings()
        if binding.role == f"roles/{role}" and "builder@" in binding.member
    )
    cloud.state.policies.revoke(grant)
    assert permission in (await deploy(api, function))["error"]["message"]


@pytest.mark.parametrize(
    ("part", "field", "value", "problem"),
    [
        ("buildConfig", "runtime", "python2", "runtime"),
        ("buildConfig", "serviceAccount", "projects/p/serviceAccounts/none@x", "none@x"),
        ("serviceConfig", "serviceAccountEmail", "none@x", "none@x"),
        ("serviceConfig", "serviceAccountEmail", None, "default"),
        ("serviceConfig", "availableMemory", "much", "memory"),
    ],
)
async def test_what_google_would_refuse_is_refused(
    api: Api, function: Json, part: str, field: str, value: str | None, problem: str
) -> None:
    function[part][field] = value
    code, message = await api.refused("POST", f"{LOCATION}/functions?functionId=hello", function)
    assert code == "INVALID_ARGUMENT"
    assert problem in message


async def test_less_than_one_cpu_allows_no_concurrency(api: Api, function: Json) -> None:
    function["serviceConfig"] |= {"availableCpu": "0.5", "maxInstanceRequestConcurrency": 10}
    code, message = await api.refused("POST", f"{LOCATION}/functions?functionId=hello", function)
    assert (code, "cpu < 1" in message) == ("INVALID_ARGUMENT", True)


async def test_cloud_run_must_be_enabled(api: Api, function: Json) -> None:
    await api(
        "POST", "/serviceusage/v1/projects/local-project/services/run.googleapis.com:disable", {}
    )
    code, message = await api.refused("POST", f"{LOCATION}/functions?functionId=hello", function)
    assert (code, "run.googleapis.com" in message) == ("PERMISSION_DENIED", True)
