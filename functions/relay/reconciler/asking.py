"""Asking Gemini about jobs, and keeping the few values that are needed of an answer."""

import asyncio
from collections.abc import Mapping
from typing import Any

from relay.errors import GeminiRefused
from relay.gemini.api import GeminiApi, Query
from relay.gemini.resources import job_path
from relay.gemini.skim import Skimmer
from relay.reconciler.findings import MEMBERS
from relay.reconciler.settings import LOOK_SECONDS

_PAGE_SIZE = 100
_MISSING = frozenset({404, 410})

Answer = Mapping[str, Any]


class Asking:
    """Gemini's jobs. Every method raises `GeminiRefused` where nothing is learnt."""

    def __init__(self, api: GeminiApi) -> None:
        self._api = api

    async def job(self, kind: str, name: str) -> Answer | None:
        """Return what Gemini says of a job; None where it knows none of that name."""
        try:
            path = job_path(kind, name)
        except ValueError:
            raise GeminiRefused("The job's name has no form that Gemini knows.") from None
        query = {"stream": "false"} if path.startswith("/v1/interactions/") else None
        try:
            return await self._skim("get", path, query)
        except GeminiRefused as refused:
            if refused.status in _MISSING:
                return None
            raise

    async def batches(self, token: str = "") -> tuple[list[Any], str]:
        """Return a page of the list of batches and the token of the next, empty after the last."""
        query: Query = {"pageSize": _PAGE_SIZE, **({"pageToken": token} if token else {})}
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                page = await self._skim("list", "/v1/batches", query)
        except TimeoutError:
            raise GeminiRefused("Gemini's list of batches takes too long.") from None
        operations = page.get("operations")
        return (operations if isinstance(operations, list) else []), str(
            page.get("nextPageToken") or ""
        )

    async def _skim(self, what: str, path: str, query: Query | None) -> Answer:
        skimmer = Skimmer(MEMBERS)
        try:
            async with self._api.stream(what, path, query=query) as body:
                async for chunk in body:
                    skimmer.feed(chunk)
            answer = skimmer.result()
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise GeminiRefused(f"Gemini's answer to {what} is not a JSON object.")
        return answer
