"""A Gemini that answers as told, behind the functions' own client."""

from collections.abc import Mapping
from typing import Any

import httpx2

from relay.gemini.api import GeminiApi

API_KEY = "AIza-test-key-that-nobody-may-see"

Answer = httpx2.Response | Mapping[str, Any] | int | Exception


class Gemini:
    """Answers by path: an object, a status, an error, or a list of these, one after the other."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | list[Answer]] = {}
        self.requests: list[httpx2.Request] = []
        transport = httpx2.MockTransport(self._answer)
        self.api = GeminiApi(api_key=API_KEY, transport=transport)

    @property
    def asked(self) -> list[str]:
        return [request.url.path for request in self.requests]

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.get(request.url.path, 404)
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return httpx2.Response(answer, json={"error": {"message": "no", "status": "S"}})
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=answer)
