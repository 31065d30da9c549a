import httpx2
import pytest

from localcloud.controlplane.door import INTERNAL
from localcloud.controlplane.network import Network
from localcloud.controlplane.outside import Outside
from localcloud.controlplane.state import State
from localcloud.core.clock import ManualClock


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[httpx2.Request]:
    requests: list[httpx2.Request] = []

    async def record(_transport: object, request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        return httpx2.Response(204)

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", record)
    return requests


async def call(network: Network, url: str) -> None:
    async with httpx2.AsyncClient(transport=network) as client:
        await client.post(url)


async def test_only_doors_get_the_internal_mark(sent: list[httpx2.Request]) -> None:
    network = Network()
    network.own("http://127.0.0.1:1234")
    await call(network, "http://127.0.0.1:1234/a")
    await call(network, "http://127.0.0.1:4321/a")
    assert [request.headers.get(INTERNAL) for request in sent] == [network.mark, None]


async def test_a_host_is_mapped_to_its_loopback_address(sent: list[httpx2.Request]) -> None:
    network = Network()
    network.hosts["https://consumer.example"] = "http://127.0.0.1:1234"
    await call(network, "https://consumer.example/a?b=c")
    (request,) = sent
    assert str(request.url) == "http://127.0.0.1:1234/a?b=c"


async def test_a_tunnel_to_any_other_host_is_refused(clock: ManualClock) -> None:
    state = State(clock)
    async with Outside(state) as outside:
        for host in ("compute.googleapis.com", "openidconnect.googleapis.com"):
            client = httpx2.AsyncClient(proxy=outside.url, trust_env=False)
            with pytest.raises(httpx2.ProxyError, match="501"):
                await client.get(f"https://{host}/")
            await client.aclose()
    assert [entry.call for entry in state.journal.since()] == [
        "CONNECT compute.googleapis.com:443",
        "CONNECT openidconnect.googleapis.com:443",
    ]
    assert [entry.call for entry in state.journal.writes()] == [
        "CONNECT compute.googleapis.com:443"
    ]
