"""Every number that the operator's page states is the code's."""

import re
from pathlib import Path

import pytest

from relay.dispatcher import event, fanout, push, routes
from relay.dispatcher import function as dispatcher
from relay.environment import Environment
from relay.gcp import store
from relay.gcp.batching import PublisherLimits
from relay.keys import jwks, keyset, signing_secret
from relay.receiver import delivery, refusals
from relay.receiver import function as receiver
from relay.receiver import settings as receiver_settings
from relay.receiver.settings import ReceiverSettings
from relay.receiver.signatures import asymmetric, entries
from relay.registrar import controller, service
from relay.web import identity as oidc
from relay.web import server as heads
from tests.support.signing import secret

ROOT = Path(__file__).resolve().parents[1]

PROJECT = {"GOOGLE_CLOUD_PROJECT": "my-project"}
RECEIVER = ReceiverSettings.read({**PROJECT, "WEBHOOK_SIGNING_SECRET": secret()})
DISPATCHER = dispatcher.read_settings(Environment(PROJECT))
LIMITS = PublisherLimits()


def longest(form: re.Pattern[bytes]) -> int:
    (found,) = re.findall(rb"\{1,(\d+)\}", form.pattern)
    return int(found)


def instances(function: str) -> int:
    variables = (ROOT / "infra/variables.tf").read_text("utf-8")
    block = variables.partition(f"{function} = optional(object(")[2].partition("}), {})")[0]
    (found,) = re.findall(r"max_instances\s*= optional\(number, (\d+)\)", block)
    return int(found)


def attempts() -> int:
    text = (ROOT / "infra/modules/dispatcher/subscriptions.tf").read_text("utf-8")
    return int(re.findall(r"max_delivery_attempts\s*= (\d+)", text)[0])


BOUNDS: dict[str, float] = {
    "receiver: body (`MAX_BODY_BYTES`)": RECEIVER.max_body,
    "receiver: body that may be configured": receiver_settings._LARGEST_BODY,
    "receiver: time for a body": receiver.BODY_TIMEOUT,
    "receiver: age of a delivery (`TIMESTAMP_TOLERANCE_SECONDS`)": RECEIVER.tolerance,
    "receiver: `webhook-id`": longest(delivery._ID),
    "receiver: `webhook-timestamp`": longest(delivery._TIMESTAMP),
    "receiver: `webhook-signature`": longest(delivery._SIGNATURE),
    "receiver: entries of a signature list": entries.MAX_ENTRIES,
    "receiver: `v1a` entries that are tried": asymmetric.MAX_TRIED,
    "receiver: secrets in `WEBHOOK_SIGNING_SECRET`": receiver_settings._MOST_SECRETS,
    "receiver: versions of `SIGNING_SECRET` in use": signing_secret.MAX_SECRETS,
    "receiver: lifetime of the signing secret's cache": signing_secret.LIFETIME,
    "receiver: forced refresh of the signing secret, at most one in": (
        signing_secret.SECRET_PACE.between_forced
    ),
    "receiver: use of the signing secret in an outage, beyond its lifetime": (
        signing_secret.SECRET_PACE.stale
    ),
    "receiver: keys of a kind in the JWKS": keyset.MAX_KEYS,
    "receiver: size of the JWKS": jwks._LARGEST,
    "receiver: forced refresh of the JWKS, at most one in": jwks.JWKS_PACE.between_forced,
    "receiver: use of the JWKS in an outage, beyond its lifetime": jwks.JWKS_PACE.stale,
    "receiver: time for a load of keys": jwks.JWKS_PACE.timeout,
    "receiver: time for a publish": receiver.PUBLISH_TIMEOUT,
    "receiver: lines of log for one reason, one in": refusals.PERIOD,
    "publisher: messages that wait for Pub/Sub": LIMITS.waiting,
    "publisher: bytes that wait for Pub/Sub": LIMITS.waiting_size,
    "publisher: messages in a call": LIMITS.entries,
    "publisher: bytes in a call": LIMITS.size,
    "publisher: calls at a time, for each topic": LIMITS.calls,
    "publisher: wait for more entries while a call is under way": LIMITS.linger,
    "dispatcher: body of a push": push.MAX_PUSH_BYTES,
    "dispatcher: time for a body": dispatcher._BODY_SECONDS,
    "dispatcher: working budget": DISPATCHER.terms.budget,
    "dispatcher: lease (`LEASE_SECONDS`)": DISPATCHER.terms.lease.total_seconds(),
    "dispatcher: memory of duplicates (`DEDUP_RETENTION_DAYS`)": DISPATCHER.terms.retention.days,
    "dispatcher: time for one publish": fanout._PUBLISH_SECONDS,
    "dispatcher: time for a call to Firestore, retries included": store._CALL_SECONDS,
    "dispatcher: writes in a call to Firestore": store.LIMITS.entries,
    "dispatcher: bytes in a call to Firestore": store.LIMITS.size,
    "dispatcher: calls to Firestore at a time": store.LIMITS.calls,
    "dispatcher: wait for more entries while a call to Firestore is under way": store.LIMITS.linger,
    "dispatcher: attributes of an event": event.MAX_ATTRIBUTES,
    "dispatcher: name of an attribute": event.MAX_KEY_BYTES,
    "dispatcher: value of an attribute": event.MAX_VALUE_BYTES,
    "dispatcher: routes": routes.MAX_ROUTES,
    "dispatcher: types of a route": routes.MAX_GLOBS,
    "dispatcher: metadata of a route": routes.MAX_METADATA,
    "dispatcher: delivery attempts": attempts(),
    "functions: head of a request": heads.MAX_HEAD,
    "functions: time for the head of a request": heads.HEAD_SECONDS,
    "functions: identity token": oidc._LONGEST_TOKEN,
    "functions: difference of clocks in an identity token": oidc._LEEWAY_SECONDS,
    "registrar: body": service._MAX_BODY_BYTES,
    "registrar: longest wait for a generation": service.LONGEST_WAIT_SECONDS,
    "registrar: budget of one converge": controller.BUDGET_SECONDS,
    "infra: instances of the receiver": instances("receiver"),
    "infra: instances of the dispatcher": instances("dispatcher"),
    "infra: instances of the registrar": instances("registrar"),
}


def stated() -> dict[str, float]:
    """The table's rows: what is bounded, and the number."""
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    section = page.partition("\n## Bounds\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([\d,.]+) \|", section, re.MULTILINE)
    return {name: float(number.replace(",", "")) for name, number in rows}


def test_every_bound_is_listed() -> None:
    assert stated().keys() == BOUNDS.keys()


@pytest.mark.parametrize("name", BOUNDS)
def test_the_number_is_the_codes(name: str) -> None:
    assert stated()[name] == BOUNDS[name]


def test_both_kinds_of_keys_are_loaded_at_the_same_pace() -> None:
    assert jwks.JWKS_PACE.timeout == signing_secret.SECRET_PACE.timeout
