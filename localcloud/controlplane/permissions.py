"""Which IAM permission a REST call needs, and on which resource.

Google names them by one rule: the API, the collection, and what is done with it, such as
`pubsub.topics.create`. What follows another is listed here:
https://cloud.google.com/iam/docs/permissions-reference
"""

from collections.abc import Mapping

_SERVICE = {
    "cloudresourcemanager": "resourcemanager",
    "firestore": "datastore",
}
_COLLECTION = {
    ("datastore", "fields"): "schemas",
    ("datastore", "indexes"): "schemas",
    ("logging", "metrics"): "logMetrics",
    ("storage", "b"): "buckets",
    ("storage", "o"): "objects",
}
_ACTION = {
    ("cloudscheduler.jobs", "resume"): "enable",
    ("orgpolicy.policies", "getEffectivePolicy"): "orgpolicy.policy.get",
    ("serviceusage.consumerQuotaMetrics", "get"): "serviceusage.quotas.get",
    ("datastore.databases", "get"): "getMetadata",
    ("secretmanager.secrets", "addVersion"): "secretmanager.versions.add",
    ("serviceusage.services", "batchEnable"): "enable",
    ("serviceusage.services", "batchGet"): "get",
    ("serviceusage.services", "generateServiceIdentity"): "enable",
    # A part of a bucket, an account or a project rather than a collection.
    ("cloudbilling.billingInfo", "list"): "resourcemanager.projects.get",
    ("storage.iam", "list"): "storage.buckets.getIamPolicy",
    ("storage.iam", "update"): "storage.buckets.setIamPolicy",
    ("storage.serviceAccount", "list"): "resourcemanager.projects.get",
}
# Anybody may ask what they may do; tokens are minted by a check of their own.
_FREE = frozenset({"testIamPermissions", "generateIdToken", "generateAccessToken"})
# Whoever began it may ask for it: no role of Google's holds a permission for that.
_FREE_KINDS = frozenset({"artifactregistry.operations"})


def needed(service: str, method: str, pattern: str) -> str:
    """Return the permission that calls of a route need, empty if they need none.

    `service` is the API's name, `pattern` a route's.
    """
    if pattern.startswith("upload/") and method != "POST":
        # The URI of an upload's session is the right to continue it.
        return ""
    api = service.partition(".")[0]
    api = _SERVICE.get(api, api)
    path, _, verb = pattern.partition(":")
    literals = [part for part in path.split("/") if not part.startswith("{")]
    collection = _COLLECTION.get((api, literals[-1]), literals[-1])
    kind = f"{api}.{collection}"
    action = verb or _action(api, method, named=path.endswith("}"))
    if action in _FREE or kind in _FREE_KINDS:
        return ""
    action = _ACTION.get((kind, action), action)
    return action if "." in action else f"{kind}.{action}"


def _action(api: str, method: str, *, named: bool) -> str:
    if api == "pubsub" and method == "PUT":
        return "create"
    if not named and method in {"GET", "POST"}:
        return "list" if method == "GET" else "create"
    return {"GET": "get", "DELETE": "delete"}.get(method, "update")


def resource_of(names: Mapping[str, str], path: str, root: str) -> str:
    """Return the resource that a call at a path is about, the project where it names none."""
    if bucket := names.get("bucket"):
        within = f"/objects/{names['object']}" if "object" in names else ""
        return f"projects/_/buckets/{bucket}{within}"
    _, found, rest = path.partition("projects/")
    name = f"{found}{rest}".rpartition(":")[0] or f"{found}{rest}"
    return name.replace("projects/-/", f"{root}/") or root
