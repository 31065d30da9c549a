"""Plans of an empty project, and what is read from them; nothing is asked of Google."""

from collections.abc import Iterator, Mapping
from typing import Any

API_KEY = "an-API-key-that-nobody-may-see"
EVERYTHING = {
    "application": "serviceAccount:reports@my-project.iam.gserviceaccount.com",
    "deployer": "group:deployers@example.com",
    "events_bucket": "my-lake",
    "events_table": "my-project.gemini.events",
    "kms_key": "projects/my-project/locations/europe-west1/keyRings/ring/cryptoKeys/key",
    "notification_channel": "projects/my-project/notificationChannels/1",
    "project": "my-project",
    "region": "europe-west1",
    "worker_url": "https://worker-abcdefghij-ew.a.run.app/events",
}
# Of the root module itself: the example would ask Google who applies.
MINIMAL = {"project": "my-project", "region": "europe-west1", "deployer": "user:me@example.com"}

Plan = Mapping[str, Any]
Resources = dict[str, dict[str, Any]]


def resources(plan: Plan) -> Resources:
    """Return the planned values of every resource, by its address within `infra/`."""
    root = plan["planned_values"]["root_module"]
    return {
        resource["address"].removeprefix("module.relay."): resource["values"]
        for module in _modules(root)
        for resource in module.get("resources", ())
        if resource["mode"] == "managed"
    }


def of(plan: Plan, kind: str) -> Resources:
    """Return the resources of a type."""
    return {
        address: values
        for address, values in resources(plan).items()
        if f"{kind}." in f".{address}"
    }


def environment(plan: Plan, hop: str) -> dict[str, str]:
    """Return the environment of a hop's function; `hop` is its module, as `dispatcher`."""
    address = f"module.{hop}.module.function.google_cloudfunctions2_function.function"
    found: dict[str, str] = resources(plan)[address]["service_config"][0]["environment_variables"]
    return found


def _modules(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield module
    for child in module.get("child_modules", ()):
        yield from _modules(child)
