"""What `hooks verify` does: it gathers a delivery and keys, and shows each of the checks."""

import json as json_
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.text import Text

from hooks import console
from hooks.deployment import Deployment
from hooks.display import wrapped
from hooks.errors import HooksError, NoStack, UsageError
from hooks.times import parse_time
from hooks.verify.steps import Headers, Terms, Verdict, examine, kinds
from relay.errors import Unavailable
from relay.gcp.channels import opener
from relay.gcp.secrets import HOST, SecretVersions
from relay.keys.cache import KeyCache
from relay.keys.jwks import GOOGLE_JWKS_URI, JWKS_PACE, JwksLoader
from relay.keys.keyset import KeySet, parse_key_set
from relay.keys.secret import parse_secret
from relay.keys.signing_secret import SECRET_PACE, SigningSecretLoader
from relay.receiver.settings import SCHEMES

_SECRETS = "WEBHOOK_SIGNING_SECRET"


@dataclass(frozen=True, kw_only=True)
class Options:
    """A delivery in files, and what a receiver accepts; see `hooks verify --help`."""

    file: Path
    headers: Path | None
    header: Sequence[str]
    at: str
    schemes: str
    secret_file: Path | None
    jwks: str
    audiences: Sequence[str]
    tolerance: int


async def verify(find: Callable[[], Deployment], options: Options, *, json: bool) -> bool:
    """Print each check of a delivery; return whether the receiver accepts it.

    `find` returns the deployment whose keys are used where the options name none; it may raise
    `NoStack`. Raises `UsageError` for files that cannot be read, and `HooksError` if keys that are
    needed cannot be had.
    """
    body, headers = _body(options.file), _headers(options)
    deployment = _deployment(find)
    arrived = time.time()
    if options.at:
        arrived = parse_time(options.at, arrived, option="--at")
    terms = await _terms(options, deployment, kinds(headers))
    verdict = await examine(body, headers, terms, arrived)
    _show(verdict, json=json)
    return verdict.verified


def _deployment(find: Callable[[], Deployment]) -> Deployment | None:
    try:
        return find()
    except NoStack:
        return None


async def _terms(options: Options, deployment: Deployment | None, found: set[str]) -> Terms:
    local = deployment is not None and deployment.local
    default = SCHEMES if local else ("v1",)
    schemes = [each.strip() for each in options.schemes.split(",") if each.strip()] or default
    if unknown := set(schemes) - set(SCHEMES):
        raise UsageError(f"--schemes takes of {', '.join(SCHEMES)}, not {', '.join(unknown)}")
    tried = found & set(schemes)
    public = await _public_keys(options, deployment) if tried & {"v1a", "jwt"} else None
    return Terms(
        schemes=[each for each in SCHEMES if each in schemes],
        secrets=await _secrets(options, deployment) if "v1" in tried else None,
        public=public,
        audiences=options.audiences or _audiences(deployment),
        tolerance=options.tolerance,
    )


def _audiences(deployment: Deployment | None) -> list[str]:
    """Return the audience of the simulator's tokens on a stack here, which is its project."""
    return [deployment.project] if deployment and deployment.local else []


async def _secrets(options: Options, deployment: Deployment | None) -> tuple[bytes, ...] | None:
    text = os.environ.get(_SECRETS, "")
    if options.secret_file:
        text = _read(options.secret_file).decode("ascii", "replace")
    if text:
        try:
            return tuple(parse_secret(each) for each in text.split())
        except ValueError as error:
            where = options.secret_file or _SECRETS
            raise UsageError(f"{where} holds no signing secret: one {error}") from None
    if not deployment or not deployment.signing_secret:
        return None
    emulator = deployment.variables.get("SECRET_MANAGER_EMULATOR_HOST", "")
    versions = SecretVersions(deployment.signing_secret, opener(HOST, emulator))
    cache = KeyCache("signing-secret", SigningSecretLoader(versions), SECRET_PACE, time.monotonic)
    try:
        return await cache.current()
    except Unavailable:
        raise HooksError(
            f"cannot read the versions of {deployment.signing_secret}: that takes"
            " roles/secretmanager.secretAccessor on it; or name a file with --secret-file"
        ) from None
    finally:
        await versions.close()


async def _public_keys(options: Options, deployment: Deployment | None) -> KeySet:
    where = options.jwks
    if where and "://" not in where:
        try:
            return parse_key_set(_read(Path(where)), rsa=True)
        except ValueError as error:
            raise UsageError(f"{where} holds no public keys: {error}") from error
    local = deployment.gemini_url if deployment else ""
    uri = where or (f"{local}/.well-known/jwks.json" if local else GOOGLE_JWKS_URI)
    try:
        return await KeyCache(
            "jwks", JwksLoader(uri, rsa=True), JWKS_PACE, time.monotonic
        ).current()
    except Unavailable:
        raise HooksError(f"{uri} gives no public keys; name others with --jwks") from None


def _body(path: Path) -> bytes:
    return sys.stdin.buffer.read() if str(path) == "-" else _read(path)


def _headers(options: Options) -> Headers:
    lines = list(options.header)
    if options.headers:
        text = _read(options.headers).decode("latin-1")
        if text.lstrip().startswith("{"):
            return [*_of_json(options.headers, text), *map(_pair, lines)]
        # Without the lines that are none: the request or status line, empty ones.
        lines += [line for line in text.splitlines() if ":" in line.split(" ")[0]]
    if not lines:
        raise UsageError("give the headers of the delivery: --headers FILE, or -H 'name: value'")
    return [_pair(line) for line in lines]


def _of_json(path: Path, text: str) -> list[tuple[str, str]]:
    try:
        document = json_.loads(text)
    except ValueError as error:
        raise UsageError(f"{path} is neither JSON nor lines of `name: value`: {error}") from error
    return [
        (name, each if isinstance(each, str) else str(each))
        for name, value in document.items()
        # Some frameworks have a list for each name.
        for each in (value if isinstance(value, list) else [value])
    ]


def _pair(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"--header {line!r} is not `name: value`")
    return name.strip(), value.strip()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def _show(verdict: Verdict, *, json: bool) -> None:
    if json:
        facts = {"verified": verdict.verified, "status": verdict.status, "scheme": verdict.scheme}
        console.print_json({**facts, "steps": [asdict(step) for step in verdict.steps]})
        return
    width = console.width()
    for step in verdict.steps:
        mark = ("✔ ", "green") if step.holds else ("✘ ", "bold red")
        console.out.print(Text.assemble(mark, (step.name, "bold")))
        console.out.print(Text(f"  {wrapped(step.detail, '  ', width)}", "dim"))
        if step.remedy and not step.holds:
            console.out.print(Text(f"  → {wrapped(step.remedy, '    ', width)}", "yellow"))
    if verdict.verified:
        console.out.print(f"it verifies by {verdict.scheme}: the receiver answers 200")
    else:
        console.out.print(f"it does not verify: the receiver answers {verdict.status}")
