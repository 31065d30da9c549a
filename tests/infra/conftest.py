import pytest

from tests.infra.workspace import Workspace, copy_configuration, missing_terraform


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    if reason := missing_terraform():
        pytest.skip(reason)
    made = Workspace(copy_configuration(tmp_path_factory.mktemp("deployment")))
    made.init()
    return made
