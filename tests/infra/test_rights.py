"""Least privilege, by enforcement: what Terraform grants suffices, and none of it is too much."""

import asyncio
import functools
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from localcloud.controlplane.access import Binding
from localcloud.controlplane.door import INTERNAL
from localcloud.controlplane.errors import ApiError
from localcloud.core.errors import StartFailed
from localcloud.laptop.site import Site
from relay.web.identity import STRIPPED
from tests.infra.deployed import (
    DEFAULT,
    NAME,
    SECONDS,
    Refused,
    emulated,
    fire,
    invoke_as,
    may,
    push_answered,
    rest,
    set_converging,
)
from tests.infra.deployer import ROLES

pytestmark = DEFAULT

PUBLISHER = "google.pubsub.v1.Publisher"
SUBSCRIBER = "google.pubsub.v1.Subscriber"
FIRESTORE = "google.firestore.v1.Firestore"
SECRETS = "google.cloud.secretmanager.v1.SecretManagerService"
LOCATION = "projects/local-project/locations/europe-west1"
DATABASE = f"projects/local-project/databases/{NAME}"
SIGNING_SECRET = f"projects/local-project/secrets/{NAME}-signing-secret"
DISPATCH = f"projects/local-project/subscriptions/{NAME}-dispatch"
ATTEMPTS = 5
API_KEY = f"projects/local-project/secrets/{NAME}-gemini-api-key"


def account(hop: str) -> str:
    return f"serviceAccount:{NAME}-{hop}@local-project.iam.gserviceaccount.com"


def topic(name: str) -> str:
    return f"projects/local-project/topics/{NAME}-{name}"


def publishing(name: str) -> tuple[str, str, dict[str, Any]]:
    return PUBLISHER, "Publish", {"topic": topic(name), "messages": [{"data": b"{}"}]}


DOCUMENT = f"{DATABASE}/documents/probes/1"

# Refused for its checksum once it is known that it may be added.
CORRUPT = {"data": b"probe", "data_crc32c": 1}

# What the design's table speaks of, as calls of the services themselves.
ACTIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "publish to ingress": publishing("ingress"),
    "publish to events": publishing("events"),
    "publish dead letters": publishing("dead-letter"),
    "pull deliveries": (SUBSCRIBER, "Pull", {"subscription": DISPATCH, "max_messages": 1}),
    "delete a topic": (PUBLISHER, "DeleteTopic", {"topic": topic("none")}),
    "read the ledger": (FIRESTORE, "GetDocument", {"name": DOCUMENT}),
    "write the ledger": (
        FIRESTORE,
        "Commit",
        {"database": DATABASE, "writes": [{"update": {"name": DOCUMENT}}]},
    ),
    "read another database": (
        FIRESTORE,
        "GetDocument",
        {"name": DOCUMENT.replace(f"databases/{NAME}", "databases/other")},
    ),
    "read the signing secret": (
        SECRETS,
        "AccessSecretVersion",
        {"name": f"{SIGNING_SECRET}/versions/1"},
    ),
    "list its versions": (SECRETS, "ListSecretVersions", {"parent": SIGNING_SECRET}),
    "read the signing secret's settings": (SECRETS, "GetSecret", {"name": SIGNING_SECRET}),
    "add a version": (
        SECRETS,
        "AddSecretVersion",
        {"parent": SIGNING_SECRET, "payload": CORRUPT},
    ),
    "enable a version": (SECRETS, "EnableSecretVersion", {"name": f"{SIGNING_SECRET}/versions/99"}),
    "disable a version": (
        SECRETS,
        "DisableSecretVersion",
        {"name": f"{SIGNING_SECRET}/versions/99"},
    ),
    "destroy a version": (
        SECRETS,
        "DestroySecretVersion",
        {"name": f"{SIGNING_SECRET}/versions/99"},
    ),
    "delete the signing secret": (SECRETS, "DeleteSecret", {"name": f"{SIGNING_SECRET}-none"}),
    "read the API key": (SECRETS, "AccessSecretVersion", {"name": f"{API_KEY}/versions/1"}),
    "list the API keys": (SECRETS, "ListSecretVersions", {"parent": API_KEY}),
    "replace the API key": (SECRETS, "AddSecretVersion", {"parent": API_KEY, "payload": CORRUPT}),
}

READING_SECRET = {"read the signing secret", "list its versions"}
LEDGER = {"read the ledger", "write the ledger"}

# The design's table, read as "may these, and nothing else".
MAY: dict[str, set[str]] = {
    "receiver": {
        "publish to ingress",
        *READING_SECRET,
        # Held by the predefined role that lists versions.
        "read the signing secret's settings",
    },
    "dispatcher": {"publish to events", "publish dead letters", *LEDGER},
    "registrar": {
        *READING_SECRET,
        *LEDGER,
        "add a version",
        "enable a version",
        "disable a version",
        "read the API key",
    },
    "push": set(),
    "schedules": set(),
    "wait": set(),
    "build": set(),
}

INVOKES = {
    "push": {"dispatcher"},
    "schedules": {"registrar"},
    "wait": {"registrar"},
}


@pytest_asyncio.fixture(loop_scope="session")
async def granted(default: Site) -> AsyncIterator[Site]:
    """The default deployment while its deployer has no role: what Terraform grants is all."""
    state = default.cloud.state
    before = state.policies.get(state.root)
    for role in ROLES:
        state.policies.revoke(Binding(state.root, role, state.deployer))
    yield default
    state.policies.begin(state.root, {**before, "etag": ""})


async def test_the_table_of_rights(granted: Site, subtests: pytest.Subtests) -> None:
    for hop, allowed in MAY.items():
        with subtests.test("reaches what it needs, and nothing else", hop=hop):
            reached = {
                name
                for name, (service, method, fields) in ACTIONS.items()
                if await may(granted.cloud, account(hop), service, method, **fields)
            }
            assert reached == allowed
        with subtests.test("invokes only the functions that it must", hop=hop):
            doors = {
                function
                for function in ("dispatcher", "registrar")
                if await invoke_as(granted, account(hop), function, internal=True) != 403
            }
            assert doors == INVOKES.get(hop, set())


async def test_the_identity_that_apply_waits_with_may_only_read(granted: Site) -> None:
    waits = account("wait")
    assert await invoke_as(granted, waits, "registrar", path="/webhook") == 200
    for method, path in (("DELETE", "/webhook"), ("POST", "/converge"), ("POST", "/rotate")):
        assert await invoke_as(granted, waits, "registrar", method=method, path=path) == 403, path


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "DELETE")
PATHS = ("/", "/webhook", "/converge", "/ping", "/rotate")
ACTIONS_OF_THE_REGISTRAR = {
    ("GET", "/webhook"),
    ("DELETE", "/webhook"),
    ("POST", "/converge"),
    ("POST", "/ping"),
    ("POST", "/rotate"),
}
# Rotates nothing, and is neither a delivery nor a push.
BODY = b'{"if_older_than_seconds":1000000000}'
AUTHORIZATION, SERVERLESS = "Authorization", "X-Serverless-Authorization"
# Whom the functions let do everything, hence whom a forger pretends to be.
TRUSTED = {"receiver": "schedules", "dispatcher": "push", "registrar": "schedules"}


@dataclass(frozen=True)
class Try:
    """One request of one identity at one function."""

    hop: str
    function: str
    method: str
    path: str
    form: str
    """Which tokens are in which headers."""

    def headers(self, made: Site) -> list[tuple[str, str]]:
        genuine = bearer(made, self.hop, self.function)
        trusted = bearer(made, TRUSTED[self.function], self.function)
        forged = f"{trusted.rpartition('.')[0]}.{STRIPPED}"
        broken = f"{trusted.rpartition('.')[0]}.{'A' * 342}"
        return {
            "none": [],
            "Authorization": [(AUTHORIZATION, genuine)],
            "X-Serverless-Authorization": [(SERVERLESS, genuine)],
            "genuine before forged": [(SERVERLESS, genuine), (AUTHORIZATION, forged)],
            "twice": [(AUTHORIZATION, genuine), (AUTHORIZATION, forged)],
            "forged before genuine": [(SERVERLESS, forged), (AUTHORIZATION, genuine)],
            "forged": [(AUTHORIZATION, forged)],
            "wrong signature": [(AUTHORIZATION, broken)],
        }[self.form]

    def expected(self) -> int:
        if self.function == "receiver":
            # It is public: no token counts, and a delivery needs its own signature.
            return {"GET": 200, "HEAD": 200, "POST": 400}.get(self.method, 405)
        if self.form == "none":
            return 403
        if self.form in ("forged before genuine", "forged", "wrong signature"):
            return 401
        if self.function not in INVOKES.get(self.hop, set()):
            return 403
        return self._function_answers()

    def _function_answers(self) -> int:
        if self.function == "dispatcher":
            if self.method != "POST":
                return 405
            return 401 if self.form == "twice" else 400
        if self.path == "/":
            return 404
        if (self.method, self.path) not in ACTIONS_OF_THE_REGISTRAR:
            return 405
        if self.form == "twice":
            return 401
        return 200 if self.hop == "schedules" or self.method == "GET" else 403


FORMS = (
    "none",
    "Authorization",
    "X-Serverless-Authorization",
    "genuine before forged",
    "twice",
    "forged before genuine",
    "forged",
    "wrong signature",
)


@functools.cache
def bearer(made: Site, hop: str, function: str) -> str:
    email, project = account(hop).partition(":")[2], made.cloud.state.project
    audience = f"https://{NAME}-{function}-{project.number}.europe-west1.run.app"
    return f"Bearer {made.cloud.state.issuer.identity_token(email, audience)}"


async def test_each_identity_may_do_at_each_function_what_the_table_says(granted: Site) -> None:
    # Removal comes last: there is nothing to rotate or to ping after it.
    tries = [
        Try(hop, function, method, path, form)
        for method, path, function, hop, form in itertools.product(
            METHODS, PATHS, TRUSTED, MAY, FORMS
        )
    ]
    await set_converging(granted, "pause")
    try:
        async with kept_registrar(granted), httpx2.AsyncClient(trust_env=False) as client:
            found = {each: await knocked(client, granted, each) for each in tries}
    finally:
        await set_converging(granted, "resume")
    assert {each: status for each, status in found.items() if status != each.expected()} == {}


async def knocked(client: httpx2.AsyncClient, made: Site, each: Try) -> int:
    name = f"{LOCATION}/functions/{NAME}-{each.function}"
    headers = [*each.headers(made), (INTERNAL, made.cloud.network.mark)]
    url = f"{made.cloud.deployments[name].url}{each.path}"
    answer = await client.request(each.method, url, headers=headers, content=BODY, timeout=SECONDS)
    return answer.status_code


@asynccontextmanager
async def kept_registrar(made: Site) -> AsyncIterator[None]:
    """Have the registrar know in the end what it knew before, and its webhook be there."""
    name = f"{DATABASE}/documents/registrar/webhook"
    kept = await emulated(made.cloud, FIRESTORE, "GetDocument", name=name)
    try:
        yield
    finally:
        writes = [{"update": {"name": name, "fields": kept.fields}}]
        await emulated(made.cloud, FIRESTORE, "Commit", database=DATABASE, writes=writes)
        assert await fire(made, f"{NAME}-converge") == 200


async def test_nobody_outside_reaches_the_dispatcher(granted: Site) -> None:
    assert await invoke_as(granted, account("push"), "dispatcher", internal=False) == 404


@dataclass(frozen=True)
class Probe:
    """Something that a deployment does; it returns whether it still does."""

    name: str
    works: Callable[[Site], Awaitable[bool]]


async def takes_deliveries(made: Site) -> bool:
    """Have the receiver, as a new instance, take a registered delivery.

    It has two attempts: on a busy machine the first load of the keys may take too long.
    """
    await restart(made, "receiver")
    [delivery] = made.gemini.emit("batch.succeeded", to=[registered(made)])
    async with asyncio.timeout(SECONDS):
        while delivery.state == "pending" and len(delivery.attempts) < 2:
            await made.gemini.courier.settled([delivery], 0.2)
    return delivery.state == "delivered"


async def lists_versions(made: Site) -> bool:
    """List the versions as the receiver; without the list it would only guess their numbers."""
    service, method, fields = ACTIONS["list its versions"]
    return await may(made.cloud, account("receiver"), service, method, **fields)


async def dispatches(made: Site) -> bool:
    return await pushed(made, b'{"type":"batch.succeeded","data":{"id":"b"}}')


async def sets_poison_aside(made: Site) -> bool:
    return await pushed(made, b"not json")


async def pushed(made: Site, body: bytes) -> bool:
    """Put a message into the ingress topic, and see how the dispatcher's first answer to it is."""
    message_id, mark = await published(made, body)
    return (await push_answered(made, message_id, mark)).status == 204


async def published(made: Site, body: bytes) -> tuple[str, int]:
    """Put a message alone into the ingress topic; return its id, and the journal's mark before."""
    await clear(made, DISPATCH)
    mark = made.cloud.state.journal.mark()
    attributes = {"webhook-id": f"probe-{mark}", "dedup-key": f"probe-{mark}", "scheme": "v1"}
    stamps = {"webhook-timestamp": "1800000000", "received-at": "2027-01-15T08:00:00.000Z"}
    message = {"data": body, "attributes": attributes | stamps}
    reply = await emulated(
        made.cloud, PUBLISHER, "Publish", topic=topic("ingress"), messages=[message]
    )
    return str(reply.message_ids[0]), mark


async def gives_up_after_its_attempts(made: Site) -> bool:
    """Tell whether Pub/Sub itself moves what failed too often into the dead letters."""
    policies = made.cloud.state.policies
    needed = Binding(topic("events"), "roles/pubsub.publisher", account("dispatcher"))
    before = policies.get(needed.resource)
    letters = f"projects/local-project/subscriptions/{NAME}-dead-letter"
    await clear(made, letters)
    await impatient(made)
    policies.revoke(needed)
    try:
        message_id, mark = await published(made, b'{"type":"batch.succeeded","data":{"id":"b"}}')
        outcomes: list[asyncio.Task[object]] = [
            asyncio.create_task(push_answered(made, message_id, mark, 2 * ATTEMPTS)),
            asyncio.create_task(pulled(made, letters, f"probe-{mark}")),
        ]
        done, pending = await asyncio.wait(outcomes, return_when=asyncio.FIRST_COMPLETED)
        for outcome in pending:
            outcome.cancel()
        return outcomes[1] in done
    finally:
        policies.begin(needed.resource, {**before, "etag": ""})
        await clear(made, DISPATCH)


async def impatient(made: Site) -> None:
    """Let the dispatch subscription give up soon: as few attempts as Pub/Sub allows, no pause."""
    policy = {"deadLetterTopic": topic("dead-letter"), "maxDeliveryAttempts": ATTEMPTS}
    pause = {"minimumBackoff": "0s", "maximumBackoff": "0.1s"}
    changed = {"deadLetterPolicy": policy, "retryPolicy": pause}
    body = {"subscription": changed, "updateMask": "deadLetterPolicy,retryPolicy"}
    await rest(made, "PATCH", f"/pubsub/v1/{DISPATCH}", body)


async def pulled(made: Site, subscription: str, webhook_id: str) -> None:
    """Return once a subscription has had the message with this id, whatever it has before."""
    wanted = {"subscription": subscription, "max_messages": 1}
    while True:
        reply = await emulated(made.cloud, SUBSCRIBER, "Pull", **wanted)
        for each in reply.received_messages:
            if each.message.attributes.get("webhook-id") == webhook_id:
                return


async def clear(made: Site, subscription: str) -> None:
    """Drop what a subscription still owes."""
    # Messages bear the millisecond of their publication: what comes next must not be older.
    seconds, milliseconds = divmod(int(made.cloud.state.clock.time() * 1000), 1000)
    now = {"seconds": seconds, "nanos": milliseconds * 1_000_000}
    await emulated(made.cloud, SUBSCRIBER, "Seek", subscription=subscription, time=now)


async def converges(made: Site) -> bool:
    """Have the registrar, as a new instance, heal a webhook whose secret nobody holds."""
    try:
        await restart(made, "registrar")
    except (ApiError, StartFailed):
        return False
    made.gemini.webhooks.delete(registered(made))
    return await fire(made, f"{NAME}-converge") == 200 and bool(list(made.gemini.webhooks))


async def waits(made: Site) -> bool:
    """Read the webhook as apply does: with a token that the deployer has minted."""
    if not await mints(made, "wait"):
        return False
    return await invoke_as(made, account("wait"), "registrar", path="/webhook") == 200


async def mints(made: Site, hop: str) -> bool:
    """Have the deployer mint an identity token of a hop's."""
    path = f"/iamcredentials/v1/projects/-/serviceAccounts/{account(hop).partition(':')[2]}"
    try:
        await rest(made, "POST", f"{path}:generateIdToken", {"audience": "https://a"}, who="x")
    except Refused:
        return False
    return True


async def removes(made: Site) -> bool:
    """Converge as those whom a destroy asks as: the schedules' identity, and the deployer."""
    if not await mints(made, "schedules"):
        return False
    status = await invoke_as(
        made, made.cloud.state.deployer, "registrar", method="POST", path="/converge"
    )
    return status != 403


async def builds(made: Site) -> bool:
    """Deploy the receiver once more."""
    path = f"/cloudfunctions/v2/{LOCATION}/functions/{NAME}-receiver"
    try:
        await rest(made, "PATCH", f"{path}?updateMask=labels", {"labels": {"probe": "1"}})
    except Refused:
        return False
    return True


PROBES = [
    Probe("a delivery is taken", takes_deliveries),
    Probe("the signing secret's versions are listed", lists_versions),
    Probe("an event is dispatched", dispatches),
    Probe("poison is set aside", sets_poison_aside),
    Probe("exhausted messages become dead letters", gives_up_after_its_attempts),
    Probe("the webhook is kept", converges),
    Probe("apply can wait", waits),
    Probe("the deployer can have it removed", removes),
    Probe("a function is built", builds),
]


async def test_without_any_one_grant_something_breaks(
    granted: Site, subtests: pytest.Subtests, request: pytest.FixtureRequest
) -> None:
    made, record = granted, request.node.user_properties.append
    # Only what a probe asks for converges, so that none meets another at work.
    await set_converging(made, "pause")
    working = {probe.name: await probe.works(made) for probe in PROBES}
    assert all(working.values()), working
    for grant in grants(made):
        with subtests.test("something breaks", role=grant.role, member=grant.member):
            before = made.cloud.state.policies.get(grant.resource)
            made.cloud.state.policies.revoke(grant)
            broken = await what_breaks(made, grant)
            made.cloud.state.policies.begin(grant.resource, {**before, "etag": ""})
            record((f"{grant.role} of {grant.member} on {grant.resource}", broken))
            assert broken
            assert await fire(made, f"{NAME}-converge") == 200
    await set_converging(made, "resume")


async def what_breaks(made: Site, grant: Binding) -> str | None:
    """Return the first thing that no longer works."""
    for probe in likely(grant):
        if not await probe.works(made):
            return probe.name
    return None


def likely(grant: Binding) -> list[Probe]:
    """Return the probes, those first that have to do with whom the grant is for."""
    hints = {
        "-receiver@": 0,
        "allUsers": 0,
        "-dispatcher@": 2,
        "-push@": 2,
        "gcp-sa-pubsub": 4,
        "-registrar@": 5,
        "-schedules@": 5,
        "-wait@": 6,
        "deployer@": 6,
        "-build@": 8,
        "gcf-admin-robot": 8,
    }
    first = next(index for hint, index in hints.items() if hint in grant.member)
    return [*PROBES[first:], *PROBES[:first]]


def grants(made: Site) -> list[Binding]:
    """Return what Terraform has granted; a bucket's first policy is the service's own."""
    return [
        binding
        for binding in made.cloud.state.policies.bindings()
        if not made.cloud.state.is_googles(binding)
        and not binding.member.startswith(("projectEditor:", "projectOwner:", "projectViewer:"))
    ]


def registered(made: Site) -> str:
    (webhook,) = made.gemini.webhooks
    return webhook.id


async def restart(made: Site, function: str) -> None:
    await made.cloud.deployments[f"{LOCATION}/functions/{NAME}-{function}"].replace_instance()
