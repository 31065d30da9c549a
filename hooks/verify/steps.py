"""The receiver's checks of one delivery, one by one. Pure.

The verdict is that of the receiver's own verifier; what is found besides explains it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hooks.display import age
from hooks.verify.tokens import objection
from relay.errors import Refused
from relay.ingress import rfc3339
from relay.keys.keyset import KeySet
from relay.keys.source import FixedKeys
from relay.receiver.delivery import Delivery
from relay.receiver.settings import SCHEMES
from relay.receiver.signatures import Outcome, Scheme, Verified
from relay.receiver.signatures.asymmetric import AsymmetricScheme
from relay.receiver.signatures.entries import parse_entries
from relay.receiver.signatures.symmetric import SymmetricScheme
from relay.receiver.signatures.token import TokenScheme
from relay.receiver.verifier import Enabled, Verifier

Headers = Sequence[tuple[str, str]]

_SOUND = {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
_ENCODING = "latin-1"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a receiver accepts: its schemes, its keys, its audiences, and its bounds.

    `secrets` and `public` are None if they cannot be had. `tolerance` is in seconds, `max_body` in
    bytes.
    """

    schemes: Sequence[str]
    secrets: tuple[bytes, ...] | None = None
    public: KeySet | None = None
    audiences: Sequence[str] = ()
    tolerance: int = 300
    max_body: int = 262_144


@dataclass(frozen=True)
class Step:
    """One check; `remedy` says what to do if it does not hold."""

    name: str
    holds: bool
    detail: str
    remedy: str = ""


@dataclass
class Verdict:
    """The steps in order, the HTTP `status` of the receiver's answer, and the `scheme` of 200."""

    steps: list[Step] = field(default_factory=list)
    status: int = 200
    scheme: str = ""

    @property
    def verified(self) -> bool:
        """Whether the receiver accepts the delivery."""
        return self.status == 200

    def add(self, step: Step, status: int) -> bool:
        """Add a step; the first that does not hold decides the status. Return whether it holds."""
        self.steps.append(step)
        if not step.holds and self.verified:
            self.status = status
        return step.holds


def kinds(headers: Headers) -> set[str]:
    """Return the kinds of signature that the headers hold, as far as they can be read."""
    values = [value for name, value in headers if name.lower() == "webhook-signature"]
    return set(parse_entries(values[0].encode(_ENCODING, "replace"))) if len(values) == 1 else set()


async def examine(body: bytes, headers: Headers, terms: Terms, now: float) -> Verdict:
    """Check a delivery that arrived at `now`, in Unix seconds, as the receiver does."""
    verdict = Verdict()
    size = f"{len(body)} bytes, of {terms.max_body} at most"
    verdict.add(Step("the body is small enough", len(body) <= terms.max_body, size), 413)
    sound = [verdict.add(_header(name, headers), 400) for name in _SOUND]
    if not all(sound):
        return verdict
    delivery = Delivery.parse(_raw(headers), body, now)
    verdict.add(_age(delivery, terms), 401)
    found = parse_entries(delivery.signature)
    listed = ", ".join(f"{len(each)} of {kind}" for kind, each in found.items()) or "none"
    accepted = [kind for kind in found if kind in terms.schemes]
    holds = verdict.add(
        Step("a signature is of an accepted scheme", bool(accepted), listed, _hint(found, terms)),
        401,
    )
    if holds:
        await _signature(verdict, delivery, found, terms)
    return verdict


def _header(name: str, headers: Headers) -> Step:
    values = [value for given, value in headers if given.lower() == name]
    title = f"{name} is well formed"
    if len(values) != 1:
        return Step(title, holds=False, detail="missing" if not values else "there several times")
    try:
        # With the other two sound, the parser judges this one.
        Delivery.parse(_raw([*(_SOUND | {name: values[0]}).items()]), b"", 0.0)
    except Refused:
        return Step(title, holds=False, detail=f"{values[0][:80]!r} is not")
    shown = values[0] if name != "webhook-signature" else f"{len(values[0])} characters"
    return Step(title, holds=True, detail=shown)


def _age(delivery: Delivery, terms: Terms) -> Step:
    distance = delivery.received_at - delivery.timestamp
    side = "before" if distance >= 0 else "after"
    detail = (
        f"signed {rfc3339(delivery.timestamp)}, {age(abs(distance))} {side} its arrival; the"
        f" tolerance is {terms.tolerance} s"
    )
    holds = abs(distance) <= terms.tolerance
    return Step("it is fresh", holds, detail, "if it arrived at another time, say so with --at")


def _hint(found: Mapping[str, Any], terms: Terms) -> str:
    off = [kind for kind in found if kind in SCHEMES and kind not in terms.schemes]
    if not off:
        return ""
    wanted = ",".join((*terms.schemes, off[0]))
    return f"scheme {off[0]} is off: a receiver with SCHEMES={wanted} accepts it (--schemes here)"


async def _signature(
    verdict: Verdict, delivery: Delivery, found: Mapping[str, Sequence[bytes]], terms: Terms
) -> None:
    tried = [kind for kind in terms.schemes if kind in found]
    enabled = [each for kind in tried if (each := _enabled(kind, terms))]
    missing = [kind for kind in tried if kind not in [each.scheme.name for each in enabled]]
    for kind in missing:
        verdict.steps.append(Step(f"{kind} verifies", holds=False, detail=_keyless(kind)))
    try:
        verified = await Verifier(enabled, known=SCHEMES).verify(delivery)
    except Refused:
        for each in enabled:
            step = _explained(each, delivery, found[each.scheme.name], terms)
            verdict.add(step, 401)
        if missing:
            # With the keys it might verify: the receiver answers 503, and Gemini tries again.
            verdict.status = 503 if verdict.status == 401 or not enabled else verdict.status
        return
    verdict.scheme = verified.scheme
    detail = f"event {verified.id}"
    verdict.add(Step(f"{verified.scheme} verifies", holds=True, detail=detail), 401)


def _enabled(kind: str, terms: Terms) -> Enabled | None:
    keys: Any = terms.secrets if kind == "v1" else terms.public
    return Enabled(_scheme(kind, terms), FixedKeys(keys)) if keys else None


def _scheme(kind: str, terms: Terms) -> Scheme[Any]:
    if kind == "v1":
        return SymmetricScheme()
    return AsymmetricScheme() if kind == "v1a" else TokenScheme(terms.audiences, terms.tolerance)


def _keyless(kind: str) -> str:
    if kind == "v1":
        return "no signing secret at hand: name a file with --secret-file, or a deployment"
    return "no public keys at hand: name their URL or a file with --jwks"


def _explained(
    enabled: Enabled, delivery: Delivery, entries: Sequence[bytes], terms: Terms
) -> Step:
    scheme = enabled.scheme
    keys: Any = enabled.source.fresh()
    title = f"{scheme.name} verifies"
    if scheme.name == "jwt":
        return Step(
            title, False, objection(entries[0], delivery, keys, terms.audiences, terms.tolerance)
        )
    if scheme.verify(delivery, entries, keys) is Outcome.INVALID:
        return Step(title, False, "not a signature: it is no base64 of 64 bytes")
    for change, body in _variants(delivery.body):
        other = delivery._replace(body=body, signed=_signed(delivery, body))
        if isinstance(scheme.verify(other, entries, keys), Verified):
            return Step(
                title, False, f"it does {change}", "keep the body as it came, byte for byte"
            )
    count = len(keys) if scheme.name == "v1" else len(keys.ed25519)
    return Step(
        title,
        False,
        f"none of {count} keys made this signature over this id, timestamp and body",
        "the secret is another webhook's, or was rotated; or the capture is not what was sent",
    )


def _variants(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what a capture may have changed, and the body without the change."""
    stripped = body.rstrip(b"\r\n")
    if stripped != body:
        yield "without the line end after the body", stripped
    yield "with a line end after the body", body + b"\n"
    if b"\r\n" in body:
        yield "with line ends of one character", body.replace(b"\r\n", b"\n")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    yield "with the body as compact JSON", json.dumps(document, separators=(",", ":")).encode()
    yield "with the body as JSON on one line", json.dumps(document).encode()


def _signed(delivery: Delivery, body: bytes) -> bytes:
    return b"%b.%b.%b" % (*delivery.signed.split(b".", 2)[:2], body)


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI passes them."""
    return [
        (name.lower().encode(_ENCODING, "replace"), value.encode(_ENCODING, "replace"))
        for name, value in headers
    ]
