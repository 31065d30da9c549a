import pytest

from localcloud.core.rpc import RpcError
from localcloud.secretmanager import filters

PROPERTIES = {"name": "projects/p/secrets/signing-key", "state": "ENABLED", "labels.team": "blue"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("state:ENABLED", True),
        ("state = ENABLED", True),
        ("state:DISABLED", False),
        ("state:ENABLE", False),
        ("name:signing", True),
        ("name=signing", False),
        ("name:other", False),
        ("labels.team:*", True),
        ("labels.owner:*", False),
        ("labels.team=blue", True),
        ("state:DISABLED OR state:ENABLED", True),
        ("state:ENABLED AND labels.team:red", False),
        ("labels.team:red OR labels.team:blue AND state:ENABLED", True),
        ("labels.team:blue OR state:ENABLED AND state:DISABLED", False),
    ],
)
def test_filters(text: str, *, expected: bool) -> None:
    assert filters.compile_filter(text)(PROPERTIES) is expected


@pytest.mark.parametrize(
    "text", ["state", "state:", "NOT state:ENABLED", "create_time>2020", "state:A,B", "(state:A)"]
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(RpcError, match="is not understood"):
        filters.compile_filter(text)
