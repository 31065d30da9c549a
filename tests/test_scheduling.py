from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent


@pytest.fixture
def conftest(pytestconfig: pytest.Config) -> Any:
    return pytestconfig.pluginmanager.get_plugin(str(TESTS / "conftest.py"))


def test_xdist_takes_the_scopes_from_here(pytestconfig: pytest.Config) -> None:
    hook = pytestconfig.hook.pytest_xdist_make_scheduler
    assert str(TESTS / "conftest.py") in [each.plugin_name for each in hook.get_hookimpls()]


def test_tests_of_a_file_that_shares_a_stack_have_one_scope(conftest: Any) -> None:
    file = "tests/e2e/test_delivery.py"
    assert conftest.scope(f"{file}::test_one") == conftest.scope(f"{file}::test_two[a@b]")
    assert conftest.scope(f"{file}::test_one") != conftest.scope(
        "tests/e2e/test_crash.py::test_one"
    )


def test_the_users_of_the_default_deployment_have_one_scope(conftest: Any) -> None:
    users = {
        str(path.relative_to(TESTS.parent))
        for path in TESTS.glob("infra/test_*.py")
        if "default: Site" in path.read_text("utf-8")
    }
    assert len(users) > 1
    assert len({conftest.scope(f"{path}::test_one") for path in users}) == 1


def test_other_tests_have_a_scope_of_their_own(conftest: Any) -> None:
    file = "tests/relay/test_main.py"
    assert conftest.scope(f"{file}::test_one") != conftest.scope(f"{file}::test_two")
