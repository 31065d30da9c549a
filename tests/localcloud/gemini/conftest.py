"""A simulator on a clock that stands still, the endpoint it delivers to, and the SDK against it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx2
import pytest
from google import genai

from localcloud.core.certificates import certificates
from localcloud.core.clock import ManualClock
from localcloud.gemini import Gemini, Settings
from tests.support.serving import serving

API_KEY = "test-api-key"
URI = "https://relay.example/webhook"


@dataclass
class Endpoint:
    """What Gemini delivers to: answers with the statuses in store, then with `status`."""

    status: int = 200
    statuses: list[int] = field(default_factory=list)
    requests: list[httpx2.Request] = field(default_factory=list)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        status = self.statuses.pop(0) if self.statuses else self.status
        if status == 0:
            raise httpx2.ConnectError("refused", request=request)
        return httpx2.Response(status)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    chosen = {} if not hasattr(request, "param") else request.param
    return Settings(api_keys=frozenset({API_KEY}), **chosen)


@pytest.fixture
async def gemini(
    clock: ManualClock, endpoint: Endpoint, settings: Settings
) -> AsyncIterator[Gemini]:
    simulator = Gemini(clock, settings, transport=httpx2.MockTransport(endpoint.answer))
    yield simulator
    await simulator.close()


@pytest.fixture
async def base_url(gemini: Gemini) -> AsyncIterator[str]:
    async with serving(gemini.app) as url:
        yield url


@pytest.fixture
async def sdk(base_url: str) -> AsyncIterator[genai.client.AsyncClient]:
    options = genai.types.HttpOptions(
        base_url=base_url,
        retry_options=genai.types.HttpRetryOptions(attempts=1),
        client_args={"verify": certificates()},
        async_client_args={"verify": certificates(), "ssl": certificates()},
    )
    client = genai.Client(api_key=API_KEY, http_options=options)
    yield client.aio
    await client.aio.aclose()
    client.close()


@pytest.fixture
async def http(base_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"x-goog-api-key": API_KEY}
    async with httpx2.AsyncClient(base_url=base_url, headers=headers) as client:
        yield client
