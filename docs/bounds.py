"""Writes the numbers of the table of bounds in `docs/operations.md`, from the code.

Run it as `make tables` after a change of a bound. The rest of each row is the page's own.
"""

# ruff: noqa: SLF001 - a bound is private to the module that keeps it

import re
import sys
from pathlib import Path

from relay.collector import worker as collector
from relay.dispatcher import event, fanout, routes
from relay.dispatcher.settings import Settings as DispatcherSettings
from relay.gcp import deadletter, objects, store
from relay.gcp.publisher import PublisherLimits
from relay.gemini import api, skim
from relay.keys import jwks, keyset, signing_secret
from relay.receiver import delivery, refusals
from relay.receiver import function as receiver
from relay.receiver import settings as receiver_settings
from relay.receiver.settings import Settings as ReceiverSettings
from relay.receiver.signatures import asymmetric, entries
from relay.reconciler import run
from relay.reconciler import settings as reconciler_settings
from relay.reconciler.settings import Settings as ReconcilerSettings
from relay.registrar import controller, service
from relay.web import connections, push
from relay.web import identity as oidc

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "operations.md"
HEAD = "| bound | number | unit |"

PROJECT = {"GOOGLE_CLOUD_PROJECT": "my-project"}
RECEIVER = ReceiverSettings.read({**PROJECT, "WEBHOOK_SIGNING_SECRET": "whsec_" + "A" * 32})
DISPATCHER = DispatcherSettings.read(PROJECT)
RECONCILER = ReconcilerSettings.read(
    {**PROJECT, "JOBS_DATABASE": "gemini-jobs", "GEMINI_API_KEY": "AIza"}
)
LIMITS = PublisherLimits()


def longest(form: re.Pattern[bytes]) -> int:
    """Return the length that a pattern allows."""
    (found,) = re.findall(rb"\{1,(\d+)\}", form.pattern)
    return int(found)


def instances(function: str) -> int:
    """Return the default of a function's `max_instances` in Terraform."""
    variables = (ROOT / "infra/variables.tf").read_text("utf-8")
    block = variables.partition(f"{function} = optional(object(")[2].partition("}), {})")[0]
    (found,) = re.findall(r"max_instances\s*= optional\(number, (\d+)\)", block)
    return int(found)


def attempts() -> int:
    """Return after how many attempts Pub/Sub sets a message aside."""
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
    "publisher: wait for more messages while a call is in flight": LIMITS.linger,
    "dispatcher: body of a push": push.MAX_PUSH_BYTES,
    "dispatcher: time for a body": push._BODY_SECONDS,
    "dispatcher: working budget": DISPATCHER.terms.budget,
    "dispatcher: lease (`LEASE_SECONDS`)": DISPATCHER.terms.lease.total_seconds(),
    "dispatcher: memory of duplicates (`DEDUP_RETENTION_DAYS`)": DISPATCHER.terms.retention.days,
    "dispatcher: time for one publish": fanout._PUBLISH_SECONDS,
    "dispatcher: time for a call to Firestore, retries included": store.CALL_SECONDS,
    "dispatcher: writes in a call to Firestore": store.LIMITS.entries,
    "dispatcher: bytes in a call to Firestore": store.LIMITS.size,
    "dispatcher: calls to Firestore at a time": store.LIMITS.calls,
    "dispatcher: wait for more writes while a call to Firestore is in flight": store.LIMITS.linger,
    "dispatcher: attributes of an event": deadletter.MAX_ATTRIBUTES,
    "dispatcher: name of an attribute": event.MAX_KEY_BYTES,
    "dispatcher: value of an attribute": event.MAX_VALUE_BYTES,
    "dispatcher: routes": routes.MAX_ROUTES,
    "dispatcher: types of a route": routes.MAX_GLOBS,
    "dispatcher: metadata of a route": routes.MAX_METADATA,
    "dispatcher: delivery attempts": attempts(),
    "functions: what is not the body of a request": connections.MAX_OVERHEAD,
    "functions: what still arrives of a request after its answer": connections.MAX_DISCARDED,
    "functions: time for a head, the rest of an answered request, and an answer to be read": (
        connections.ARRIVAL_SECONDS
    ),
    "functions: time for which a connection stays that is idle while the instance is stopped": (
        connections.KEPT_SECONDS
    ),
    "functions: pipelined requests that wait for an answer": connections.MAX_PIPELINED,
    "functions: identity token": oidc._LONGEST_TOKEN,
    "functions: difference of clocks in an identity token": oidc._LEEWAY_SECONDS,
    "registrar: body": service._MAX_BODY_BYTES,
    "registrar: longest wait for a generation": service.LONGEST_WAIT_SECONDS,
    "registrar: budget of one converge": controller.BUDGET_SECONDS,
    "gemini: an answer that is read whole": api.LARGEST_REPLY,
    "gemini: what is kept of an answer that is skimmed": skim.LARGEST_KEPT,
    "reconciler: looks that begin in a second (`PER_SECOND`)": RECONCILER.per_second,
    "reconciler: time in which looks begin (`BUDGET_SECONDS`)": RECONCILER.budget,
    "reconciler: time for one look": reconciler_settings.LOOK_SECONDS,
    "reconciler: lease (`LEASE_SECONDS`)": RECONCILER.lease.total_seconds(),
    "reconciler: due jobs of a shard held at a time": run._PAGE,
    "collector: time for one result": collector.BUDGET_SECONDS,
    "collector: age of an event whose result is still tried for": (
        collector.GIVE_UP.total_seconds() / 3600
    ),
    "collector: bytes held of a result, twice": objects.PIECE,
    "infra: instances of the receiver": instances("receiver"),
    "infra: instances of the dispatcher": instances("dispatcher"),
    "infra: instances of the registrar": instances("registrar"),
}


def render(page: str) -> str:
    """Return the page with the code's numbers in its table of bounds.

    Raises:
        ValueError: The rows of the table are not those of `BOUNDS`.
    """
    before, head, rest = page.partition(HEAD)
    table, end, after = rest.partition("\n\n")
    names = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
    if wrong := set(names) ^ BOUNDS.keys():
        raise ValueError(f"only in one of {PAGE.name} and {Path(__file__).name}: {sorted(wrong)}")
    for name, number in BOUNDS.items():
        row = re.compile(rf"^\| {re.escape(name)} \| [^|]*\|", re.MULTILINE)
        table = row.sub(f"| {name} | {number:,.12g} |", table)
    return before + head + table + end + after


def main() -> None:
    """Write the page, or with `--check` say whether it is current."""
    current = PAGE.read_text("utf-8")
    rendered = render(current)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(rendered, "utf-8")
    elif rendered != current:
        sys.exit(f"{PAGE} is out of date: run `make tables`")


if __name__ == "__main__":
    main()
