from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from localcloud.laptop.site import Site
from tests.infra.deployed import deployment
from tests.infra.discovery import Referee
from tests.infra.plans import API_KEY, EVERYTHING, MINIMAL, Plan
from tests.infra.workspace import Workspace, copy_configuration, missing_terraform


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    if reason := missing_terraform():
        pytest.skip(reason)
    made = Workspace(copy_configuration(tmp_path_factory.mktemp("deployment")))
    made.init()
    return made


@pytest.fixture(scope="session")
def minimal(workspace: Workspace) -> Plan:
    return workspace.plan(".", MINIMAL, api_key=API_KEY)


@pytest.fixture(scope="session")
def everything(workspace: Workspace) -> Plan:
    workspace.init("examples/everything")
    return workspace.plan("examples/everything", EVERYTHING, api_key=API_KEY)


@pytest.fixture(scope="session")
def referee() -> Referee:
    """What has checked every call to the default deployment."""
    return Referee()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def default(
    tmp_path_factory: pytest.TempPathFactory, referee: Referee
) -> AsyncIterator[Site]:
    """The default deployment, applied once for the tests marked `DEFAULT`."""
    async with deployment(tmp_path_factory.mktemp("default"), referee=referee) as made:
        await made.terraform.apply()
        yield made
