"""The simulator's own API under `/control/`, by which other processes control it.

Gemini has no such API. It shows no secret and needs no key, since it listens on loopback.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from localcloud.gemini.courier import Courier
from localcloud.gemini.deliveries import Account
from localcloud.gemini.emitter import Emission, Emitter
from localcloud.gemini.errors import GoogleError
from localcloud.gemini.faults import Fault
from localcloud.gemini.forge import FORGERIES
from localcloud.gemini.gate import Gate, read_object
from localcloud.gemini.keys import KeyRing
from localcloud.gemini.settings import Scheme, Settings

_MAX_TIMES = 1000
_MAX_WAIT_SECONDS = 60.0


class Control:
    """Routes to emit, forge, rotate keys, inject faults and list deliveries."""

    def __init__(
        self,
        emitter: Emitter,
        courier: Courier,
        account: Account,
        keys: KeyRing,
        gate: Gate,
        settings: Settings,
    ) -> None:
        self._emitter = emitter
        self._courier = courier
        self._account = account
        self._keys = keys
        self._gate = gate
        self._settings = settings

    def routes(self, *others: BaseRoute) -> Mount:
        """Return everything under `/control`, with `others` beside."""
        return Mount(
            "/control",
            routes=[
                Route("/deliver", self._deliver, methods=["POST"]),
                Route("/deliveries", self._deliveries, methods=["GET"]),
                Route("/summary", self._summary, methods=["GET"]),
                Route("/requests", self._requests, methods=["GET"]),
                Route("/keys:rotate", self._rotate_keys, methods=["POST"]),
                Route("/faults", self._faults, methods=["GET"]),
                Route("/faults", self._add_fault, methods=["POST"]),
                Route("/faults", self._clear_faults, methods=["DELETE"]),
                *others,
            ],
        )

    async def _deliver(self, request: Request) -> Response:
        body = await read_object(request, self._settings.max_body_bytes)
        deliveries = self._emitter.emit(emission(body))
        wait = _number("wait_seconds", body.get("wait_seconds", 0.0))
        await self._courier.settled(deliveries, min(wait, _MAX_WAIT_SECONDS))
        return JSONResponse({"deliveries": [delivery.describe() for delivery in deliveries]})

    async def _deliveries(self, request: Request) -> Response:
        wanted = dict(request.query_params)
        shown = (delivery.describe() for delivery in self._account)
        matching = [
            each for each in shown if all(each.get(name) == text for name, text in wanted.items())
        ]
        return JSONResponse({"deliveries": matching})

    async def _summary(self, _request: Request) -> Response:
        return JSONResponse(self._account.summary())

    async def _requests(self, _request: Request) -> Response:
        return JSONResponse({"requests": [call.describe() for call in self._gate.log]})

    async def _rotate_keys(self, request: Request) -> Response:
        body = await read_object(request, self._settings.max_body_bytes)
        kind = body.get("kind", "OKP")
        if kind not in {"OKP", "RSA"}:
            raise GoogleError(400, "kind must be OKP or RSA.")
        retire = body.get("retire_others") is True
        return JSONResponse({"kid": self._keys.rotate(kind, retire_others=retire)})

    async def _faults(self, _request: Request) -> Response:
        return JSONResponse({"faults": self._gate.faults.describe()})

    async def _add_fault(self, request: Request) -> Response:
        body = await read_object(request, self._settings.max_body_bytes)
        known = {field.name for field in fields(Fault)}
        if not {"operation", "kind"} <= body.keys() <= known:
            raise GoogleError(400, f"A fault has operation and kind, and of {sorted(known)}.")
        texts = body.keys() & {"operation", "kind", "id"}
        numbers = {name: _number(name, body[name]) for name in body.keys() - texts}
        whole = {name: int(number) for name, number in numbers.items() if name != "seconds"}
        fault = Fault(
            _text("operation", body["operation"]),
            body["kind"],
            seconds=numbers.get("seconds", 0.0),
            id=_text("id", body.get("id", "")),
            **whole,
        )
        self._gate.faults.add(fault)
        return await self._faults(request)

    async def _clear_faults(self, request: Request) -> Response:
        self._gate.faults.clear()
        return await self._faults(request)


def emission(body: Mapping[str, Any]) -> Emission:
    """Read the request of `/control/deliver`, whose fields are those of `Emission`.

    `type` stands for `event_type`. The raw body is `body` (text) or `body_base64`.
    """
    scheme, forgery = body.get("scheme"), body.get("forgery")
    if scheme is not None and scheme not in get_args(Scheme):
        raise GoogleError(400, f"scheme must be one of {', '.join(get_args(Scheme))}.")
    if forgery is not None and forgery not in FORGERIES:
        raise GoogleError(400, f"forgery must be one of {', '.join(FORGERIES)}.")
    times, at = body.get("times", 1), body.get("at")
    delay = _number("delay_seconds", body.get("delay_seconds", 0.0))
    if not isinstance(times, int) or not 1 <= times <= _MAX_TIMES:
        raise GoogleError(400, f"times must be a whole number of 1 to {_MAX_TIMES}.")
    return Emission(
        event_type=_text("type", body.get("type")),
        data=_object("data", body.get("data")),
        user_metadata=_object("user_metadata", body.get("user_metadata")),
        uris=_texts("uris", body.get("uris", [])),
        to=_texts("to", body.get("to", [])),
        scheme=scheme,
        body=_raw_body(body),
        times=times,
        webhook_id=_text("webhook_id", body.get("webhook_id", "")) or None,
        at=None if at is None else int(_number("at", at)),
        forgery=forgery,
        delay_seconds=delay,
        lost=body.get("lost") is True,
    )


def _raw_body(body: Mapping[str, Any]) -> bytes | None:
    if "body_base64" in body:
        try:
            return base64.b64decode(_text("body_base64", body["body_base64"]), validate=True)
        except (ValueError, binascii.Error):
            raise GoogleError(400, "body_base64 is not base64.") from None
    return _text("body", body["body"]).encode() if "body" in body else None


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise GoogleError(400, f"{name} must be a string.")
    return value


def _texts(name: str, value: object) -> list[str]:
    if not isinstance(value, list):
        raise GoogleError(400, f"{name} must be a list of strings.")
    return [_text(name, item) for item in value]


def _object(name: str, value: object) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise GoogleError(400, f"{name} must be an object.")
    return value


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise GoogleError(400, f"{name} must be a number.")
    return float(value)
