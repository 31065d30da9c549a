import pytest

from localcloud.core.rpc import RpcError
from localcloud.secretmanager import names


def test_names_are_taken_apart() -> None:
    assert names.parse_project("projects/p") == "p"
    secret = names.parse_secret("projects/p/secrets/a_B-1")
    assert (secret.project, secret.secret) == ("p", "a_B-1")
    assert str(secret) == "projects/p/secrets/a_B-1"
    assert names.parse_version(f"{secret}/versions/12") == (secret, "12")
    assert names.parse_version(f"{secret}/versions/latest") == (secret, "latest")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "projects/p",
        "projects/p/secrets/",
        "projects/p/secrets/s/versions/1",
        "projects/p/locations/l/secrets/s",
        "projects/p/secrets/s\n",
    ],
)
def test_malformed_secret_names_are_refused(name: str) -> None:
    with pytest.raises(RpcError):
        names.parse_secret(name)


def test_an_alias_is_refused_by_name() -> None:
    with pytest.raises(RpcError, match=r"does not imitate the alias \[previous\]"):
        names.parse_version("projects/p/secrets/s/versions/previous")


@pytest.mark.parametrize("version", ["0", "01", "-1", "1.5", "", "a b", "99999999999"])
def test_malformed_version_numbers_are_refused(version: str) -> None:
    with pytest.raises(RpcError):
        names.parse_version(f"projects/p/secrets/s/versions/{version}")
