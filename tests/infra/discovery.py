"""A referee of the local cloud: Google's discovery documents, which state what its REST APIs take.

https://developers.google.com/discovery/v1/reference/apis: each document lists an API's methods with
their parameters, and the schemas of requests and replies.
"""

import base64
import binascii
import email
import functools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import googleapiclient

from localcloud.controlplane.journal import Exchange

DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"

# What the google provider writes otherwise, and Google takes all the same.
ACCEPTED = {
    # A field's name in the definition of the API is as good as its camel case:
    # https://protobuf.dev/programming-guides/json/
    ("artifactregistry", "repository_id"): "repositoryId",
    # A field of the body, which the provider repeats in the query of every update.
    ("pubsub", "updateMask"): "",
}

# The local cloud's name of an API, where Google's document has another.
_DOCUMENT = {"kms": "cloudkms"}
# An uploaded object's path, and that of a bucket, hold the name of their API twice.
_NAMED_IN_THE_PATH = ("bigquery", "storage")

_FORMATS = {
    "google-datetime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"),
    "google-duration": re.compile(r"-?\d+(\.\d{1,9})?s"),
    "int64": re.compile(r"-?\d+"),
    "uint64": re.compile(r"\d+"),
}
_LONG = ("int64", "uint64")
_FORMATS["date-time"] = _FORMATS["google-datetime"]
_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


@dataclass(frozen=True)
class Method:
    """A method of an API: where it is reached, and what it takes and answers."""

    verb: str
    path: re.Pattern[str]
    definition: Mapping[str, Any]


class Document:
    """One API in one version."""

    def __init__(self, name: str) -> None:
        content = json.loads((DOCUMENTS / f"{name}.json").read_text("utf-8"))
        self.schemas: Mapping[str, Any] = content["schemas"]
        self._everywhere: Mapping[str, Any] = content["parameters"]
        self._methods = list(_methods(content, content["servicePath"]))

    def find(self, verb: str, path: str) -> Mapping[str, Any] | None:
        """Return the definition of the method that a call reaches."""
        for method in self._methods:
            if method.verb == verb and method.path.fullmatch(path):
                return method.definition
        return None

    def parameters(self, method: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a method that are sent in the query."""
        own = method.get("parameters", {}).items()
        return {**self._everywhere, **{k: v for k, v in own if v["location"] == "query"}}


def _methods(content: Mapping[str, Any], prefix: str) -> Iterator[Method]:
    for definition in content.get("methods", {}).values():
        path = prefix + (definition.get("flatPath") or definition["path"])
        yield Method(definition["httpMethod"], _pattern(path), definition)
        for protocol in definition.get("mediaUpload", {}).get("protocols", {}).values():
            path = protocol["path"].lstrip("/")
            yield Method(definition["httpMethod"], _pattern(path), definition)
    for resource in content.get("resources", {}).values():
        yield from _methods(resource, prefix)


def _pattern(path: str) -> re.Pattern[str]:
    literals = re.split(r"\{\+?\w+\}", path)
    return re.compile("[^/:]+".join(re.escape(literal) for literal in literals))


@functools.cache
def _document(name: str) -> Document:
    return Document(name)


class Referee:
    """Checks calls as they are made: `calls` by API, `disagreements` by what they say."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.disagreements: Counter[str] = Counter()
        self.accepted: Counter[tuple[str, str]] = Counter()

    def __call__(self, exchange: Exchange) -> None:
        """Check one call and its reply."""
        path, _, query = exchange.target.partition("?")
        # The google provider ends one path with a slash, which changes nothing.
        path = path.strip("/")
        upload = path.startswith("upload/")
        api, _, rest = path.removeprefix("upload/").partition("/")
        api = _DOCUMENT.get(api, api)
        self.calls[api] += 1
        if upload and "upload_id" in dict(parse_qsl(query)):
            # What follows in an upload's session goes to an address that Google has made up.
            return
        version = rest.removeprefix(f"{api}/").partition("/")[0]
        document = _document(f"{api}.{version}")
        inside = path if upload or api in _NAMED_IN_THE_PATH else rest
        method = document.find(exchange.method, inside)
        where = method["id"] if method else f"{exchange.method} {path}"
        for found in self._judge(exchange, api, query, document, method):
            self.disagreements[f"{where}: {found}"] += 1

    def _judge(
        self,
        exchange: Exchange,
        api: str,
        query: str,
        document: Document,
        method: Mapping[str, Any] | None,
    ) -> Iterator[str]:
        if method is None:
            yield "Google has no such method"
            return
        if exchange.status == 501:
            yield "the local cloud does not answer"
            return
        yield from self._query(api, query, document.parameters(method))
        if 200 <= exchange.status < 300:
            # A refused request may be refused because it is wrong.
            schemas = _Schemas(document.schemas)
            yield from schemas.request(exchange, method.get("request"))
            # A session's first reply is that address, in a header.
            if dict(parse_qsl(query)).get("uploadType") != "resumable":
                yield from schemas.reply(exchange, method.get("response"))
        else:
            yield from _error(exchange)

    def _query(self, api: str, query: str, known: Mapping[str, Any]) -> Iterator[str]:
        given = parse_qsl(query, keep_blank_values=True)
        named = [(self._canonical(api, name), value) for name, value in given]
        for name, value in named:
            if name == "":
                continue
            if name not in known:
                yield f"unknown parameter {name}"
                continue
            yield from _parameter(name, value, known[name])
        for name, definition in known.items():
            if definition.get("required") and name not in dict(named):
                yield f"the parameter {name} is missing"

    def _canonical(self, api: str, name: str) -> str:
        if (api, name) not in ACCEPTED:
            return name
        self.accepted[api, name] += 1
        return ACCEPTED[api, name]


def _parameter(name: str, value: str, definition: Mapping[str, Any]) -> Iterator[str]:
    kind = definition["type"]
    fits = {
        "boolean": value in {"true", "false"},
        "integer": re.fullmatch(r"-?\d+", value) is not None,
    }.get(kind, True)
    if not fits or value not in definition.get("enum", [value]):
        yield f"the parameter {name} is {value!r}, and should be {kind}"


def _error(exchange: Exchange) -> Iterator[str]:
    # https://cloud.google.com/apis/design/errors#http_mapping
    try:
        error = json.loads(exchange.answer)["error"]
    except (ValueError, KeyError, TypeError):
        yield f"a reply of {exchange.status} without an error in it"
        return
    if error.get("code") != exchange.status:
        yield f"a reply of {exchange.status} whose error has the code {error.get('code')}"
    unknown = error.keys() - {"code", "message", "status", "details", "errors"}
    if unknown or not isinstance(error.get("message"), str):
        yield f"an error with {sorted(unknown)}, or without a message"


class _Schemas:
    """Compares JSON with the schemas of a document."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas
        self._is_reply = False

    def request(self, exchange: Exchange, schema: Mapping[str, Any] | None) -> Iterator[str]:
        content = exchange.content
        if exchange.content_type.startswith("multipart/related"):
            header = f"Content-Type: {exchange.content_type}\r\n\r\n".encode()
            parts: Any = email.message_from_bytes(header + content).get_payload()
            content = parts[0].get_payload(decode=True)
        if schema is None:
            # Clients may send an empty object where a method takes nothing.
            if content.strip() not in {b"", b"{}", b"null"}:
                yield "a request with a body, where none is taken"
        elif content:
            self._is_reply = False
            yield from self._check("request", json.loads(content), schema)

    def reply(self, exchange: Exchange, schema: Mapping[str, Any] | None) -> Iterator[str]:
        if schema is None or exchange.status == 204:
            if exchange.answer:
                yield "a reply with a body, where none is given"
            return
        try:
            answer = json.loads(exchange.answer)
        except ValueError:
            if "alt=media" not in exchange.target:
                yield "a reply that is no JSON"
            return
        self._is_reply = True
        yield from self._check("reply", answer, schema)

    def _check(self, at: str, value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"]]
        kind = schema.get("type", "any")
        if value is None:
            # In a request null stands for a field that is absent, or is to be cleared.
            if self._is_reply:
                yield f"{at} is null"
        elif kind == "any":
            return
        elif not self._is_reply and schema.get("format") in _LONG and _is(value, "integer"):
            # Parsers take a number for what is written as a string.
            return
        elif not _is(value, kind):
            yield f"{at} is {value!r}, and should be {kind}"
        elif kind == "object":
            yield from self._object(at, value, schema)
        elif kind == "array":
            for item in value:
                yield from self._check(f"{at}[]", item, schema["items"])
        else:
            yield from self._scalar(at, value, schema)

    def _object(
        self, at: str, value: Mapping[str, Any], schema: Mapping[str, Any]
    ) -> Iterator[str]:
        known = schema.get("properties", {})
        other = schema.get("additionalProperties")
        for name, item in value.items():
            if name in known:
                yield from self._check(f"{at}.{name}", item, known[name])
            elif other is not None:
                yield from self._other(f"{at}[…]", name, item, other, value)
            else:
                yield f"{at} has no field {name}"

    def _other(
        self, at: str, name: str, item: Any, schema: Mapping[str, Any], within: Mapping[str, Any]
    ) -> Iterator[str]:
        # An Any names its type, as the result of an operation does.
        kind = str(within.get("@type", "")).rpartition(".")[2]
        if kind in self._schemas and name != "@type":
            known = self._schemas[kind].get("properties", {})
            schema = known.get(name, {"type": "nothing"})
            at = f"{kind}.{name}"
        yield from self._check(at, item, schema)

    def _scalar(self, at: str, value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
        if value not in schema.get("enum", [value]):
            yield f"{at} is {value!r}, which is not among its values"
        form = schema.get("format", "")
        if schema["type"] == "string" and not _has_form(value, form):
            yield f"{at} is {value!r}, and should be of the format {form}"


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES.get(kind, ()))


def _has_form(value: str, form: str) -> bool:
    if form == "byte":
        try:
            base64.b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
        except binascii.Error:
            return False
        return True
    return form not in _FORMATS or _FORMATS[form].fullmatch(value) is not None
