"""Google's predefined roles, each with those of its permissions that the local cloud knows.

https://cloud.google.com/iam/docs/roles-permissions. A role that is not in this table is refused:
add it here and its permissions to `tests/infra/roles.json`, which a test compares with this table.
"""

_VERSIONS = "secretmanager.versions."
_ACCOUNTS = "iam.serviceAccounts."


def _each(prefix: str, *names: str) -> frozenset[str]:
    return frozenset(prefix + name for name in names)


_PUBSUB_READ = _each("pubsub.topics.", "get", "list") | _each(
    "pubsub.subscriptions.", "get", "list"
)
_PUBSUB_WRITE = (
    _each("pubsub.topics.", "attachSubscription", "create", "delete", "publish", "update")
    | _each("pubsub.topics.", "detachSubscription")
    | _each("pubsub.subscriptions.", "consume", "create", "delete", "update")
    | _each("pubsub.snapshots.", "create", "delete", "get", "list", "seek", "update")
)
_PUBSUB_POLICIES = _each("pubsub.topics.", "getIamPolicy", "setIamPolicy") | _each(
    "pubsub.subscriptions.", "getIamPolicy", "setIamPolicy"
)
_ENTITIES_READ = _each("datastore.entities.", "get", "list") | _each(
    "datastore.databases.", "get", "getMetadata", "list"
)
_ENTITIES = _ENTITIES_READ | _each(
    "datastore.entities.", "allocateIds", "create", "delete", "update"
)
_SECRETS = (
    _each(_VERSIONS, "access", "add", "destroy", "disable", "enable", "get", "list")
    | _each("secretmanager.secrets.", "create", "delete", "get", "list", "update")
    | _each("secretmanager.secrets.", "getIamPolicy", "setIamPolicy")
)
_MINT = _each(
    _ACCOUNTS, "getAccessToken", "getOpenIdToken", "implicitDelegation", "signBlob", "signJwt"
)
_OBJECTS_READ = _each("storage.objects.", "get", "list")
_OBJECTS = _OBJECTS_READ | _each("storage.objects.", "create", "delete", "update")
_BUCKETS = _each(
    "storage.buckets.", "create", "delete", "get", "getIamPolicy", "list", "setIamPolicy", "update"
)
_REPOSITORY_READ = _each("artifactregistry.repositories.", "downloadArtifacts", "get", "list")
_REPOSITORY_WRITE = _REPOSITORY_READ | _each("artifactregistry.repositories.", "uploadArtifacts")
_TABLES_READ = _each("bigquery.tables.", "get", "getData", "list") | {"bigquery.datasets.get"}
_TABLES = _TABLES_READ | _each("bigquery.tables.", "create", "delete", "update", "updateData")
_LOGS = _each("logging.logEntries.", "create", "route")
# What a build does with its source, its logs and its image.
_BUILD = (
    _REPOSITORY_WRITE
    | _OBJECTS
    | _each("storage.buckets.", "create", "get", "list")
    | _each("logging.logEntries.", "create", "list")
    | _each("pubsub.topics.", "create", "publish")
)
_SUBSCRIBES = _each("pubsub.subscriptions.", "create", "delete", "get", "update") | _each(
    "pubsub.topics.", "attachSubscription", "create", "get"
)
_KEYS = _each("cloudkms.cryptoKeyVersions.", "useToDecrypt", "useToEncrypt")
_SERVICES = _each("run.services.", "create", "delete", "get", "list", "update") | _each(
    "run.services.", "getIamPolicy", "setIamPolicy"
)
_SERVICES_READ = _each("run.services.", "get", "getIamPolicy", "list")
_FUNCTIONS_READ = _each("cloudfunctions.functions.", "get", "list")

ROLES: dict[str, frozenset[str]] = {
    "roles/artifactregistry.reader": _REPOSITORY_READ,
    "roles/artifactregistry.serviceAgent": _each(
        "artifactregistry.repositories.", "downloadArtifacts", "get"
    )
    | {"pubsub.topics.publish"},
    "roles/artifactregistry.writer": _REPOSITORY_WRITE,
    "roles/bigquery.dataEditor": _TABLES,
    "roles/bigquery.dataViewer": _TABLES_READ,
    "roles/bigquery.metadataViewer": _each("bigquery.tables.", "get", "list")
    | {"bigquery.datasets.get"},
    "roles/cloudbuild.builds.builder": _BUILD,
    "roles/cloudbuild.serviceAgent": _BUILD
    | _SUBSCRIBES
    | _each(_ACCOUNTS, "get", "getAccessToken", "getOpenIdToken"),
    "roles/cloudfunctions.serviceAgent": _REPOSITORY_WRITE
    | _FUNCTIONS_READ
    | _SUBSCRIBES
    | _each("pubsub.subscriptions.", "consume", "getIamPolicy", "list", "setIamPolicy")
    | _each("pubsub.topics.", "list")
    | _each("run.", "jobs.run", "routes.invoke")
    | _each("run.services.", "create", "delete", "get", "getIamPolicy", "list", "update")
    | _each("storage.buckets.", "create", "delete", "get", "update")
    | _each("storage.objects.", "create", "delete", "get", "list")
    | _each(_ACCOUNTS, "actAs", "getAccessToken", "getOpenIdToken", "signBlob"),
    "roles/cloudfunctions.viewer": _FUNCTIONS_READ | _SERVICES_READ,
    "roles/cloudkms.cryptoKeyDecrypter": _each("cloudkms.cryptoKeyVersions.", "useToDecrypt"),
    "roles/cloudkms.cryptoKeyEncrypter": _each("cloudkms.cryptoKeyVersions.", "useToEncrypt"),
    "roles/cloudkms.cryptoKeyEncrypterDecrypter": _KEYS,
    "roles/cloudscheduler.serviceAgent": _each(_ACCOUNTS, "getAccessToken", "getOpenIdToken")
    | _LOGS
    | {"pubsub.topics.publish"},
    "roles/datastore.user": _ENTITIES,
    "roles/datastore.viewer": _ENTITIES_READ,
    "roles/firestore.serviceAgent": _each("storage.objects.", "create", "delete", "get", "list")
    | {"storage.buckets.get"},
    "roles/iam.serviceAccountOpenIdTokenCreator": _each(_ACCOUNTS, "getOpenIdToken"),
    "roles/iam.serviceAccountTokenCreator": _MINT | _each(_ACCOUNTS, "get", "list"),
    "roles/iam.serviceAccountUser": _each(_ACCOUNTS, "actAs", "get", "list"),
    "roles/logging.logWriter": _LOGS,
    "roles/logging.viewer": _each("logging.logEntries.", "list"),
    "roles/monitoring.metricWriter": _each("monitoring.timeSeries.", "create"),
    "roles/monitoring.viewer": _each("monitoring.timeSeries.", "list"),
    "roles/pubsub.admin": _PUBSUB_READ | _PUBSUB_WRITE | _PUBSUB_POLICIES,
    "roles/pubsub.editor": _PUBSUB_READ | _PUBSUB_WRITE,
    "roles/pubsub.publisher": _each("pubsub.topics.", "publish"),
    "roles/pubsub.serviceAgent": _MINT | _each(_ACCOUNTS, "get", "list"),
    "roles/pubsub.subscriber": _each("pubsub.subscriptions.", "consume")
    | {"pubsub.snapshots.seek", "pubsub.topics.attachSubscription"},
    "roles/pubsub.viewer": _PUBSUB_READ | _each("pubsub.snapshots.", "get", "list"),
    "roles/run.invoker": _each("run.", "jobs.run", "routes.invoke"),
    "roles/run.serviceAgent": _REPOSITORY_WRITE
    | _OBJECTS
    | _each("storage.buckets.", "create", "get", "update")
    | _each(_ACCOUNTS, "actAs", "getAccessToken", "getOpenIdToken", "signBlob")
    | {"run.routes.invoke"},
    "roles/run.viewer": _SERVICES_READ,
    "roles/secretmanager.admin": _SECRETS,
    "roles/secretmanager.secretAccessor": _each(_VERSIONS, "access"),
    "roles/secretmanager.secretVersionAdder": _each(_VERSIONS, "add"),
    "roles/secretmanager.secretVersionManager": _each(
        _VERSIONS, "add", "destroy", "disable", "enable", "get", "list"
    ),
    "roles/secretmanager.viewer": _each(_VERSIONS, "get", "list")
    | _each("secretmanager.secrets.", "get", "getIamPolicy", "list"),
    "roles/storage.admin": _OBJECTS | _BUCKETS | _each("monitoring.timeSeries.", "create", "list"),
    "roles/storage.bucketViewer": _each("storage.buckets.", "get", "list"),
    "roles/storage.legacyBucketOwner": _each("storage.objects.", "create", "delete", "list")
    | _each("storage.buckets.", "get", "getIamPolicy", "setIamPolicy", "update"),
    "roles/storage.legacyBucketReader": _each("storage.", "buckets.get", "objects.list"),
    "roles/storage.legacyBucketWriter": _each("storage.objects.", "create", "delete", "list")
    | {"storage.buckets.get"},
    "roles/storage.legacyObjectOwner": _each("storage.objects.", "get", "update"),
    "roles/storage.legacyObjectReader": _each("storage.objects.", "get"),
    "roles/storage.objectAdmin": _OBJECTS | {"monitoring.timeSeries.create"},
    "roles/storage.objectCreator": _each("storage.objects.", "create"),
    "roles/storage.objectUser": _OBJECTS | {"monitoring.timeSeries.create"},
    "roles/storage.objectViewer": _OBJECTS_READ,
}
"""The predefined roles."""

OWNER = "roles/owner"

_BEYOND_OWNER = _MINT
"""What not even an owner may do to a service account without a grant of its own."""

PERMISSIONS: frozenset[str] = frozenset().union(*ROLES.values(), _KEYS, _SERVICES)
"""Every permission that is known here; a custom role may hold no other."""


def grants(role: str, permission: str) -> bool:
    """Tell whether a predefined role, or the owner's, holds a permission."""
    if role == OWNER:
        return permission not in _BEYOND_OWNER
    return permission in ROLES.get(role, frozenset())


def is_predefined(role: str) -> bool:
    """Tell whether a role is one of Google's that is known here."""
    return role == OWNER or role in ROLES
