"""Secrets and their versions."""

import uuid
from collections.abc import Callable

import google_crc32c
import pytest
from google.api_core.exceptions import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
)
from google.cloud.secretmanager_v1 import (
    Replication,
    Secret,
    SecretManagerServiceAsyncClient,
    SecretManagerServiceClient,
    SecretPayload,
    SecretVersion,
)

from tests.contract.firestore_fixtures import PROJECT, secret_manager_needs

PARENT = f"projects/{PROJECT}"
State = SecretVersion.State
REPLICATED = Secret(replication=Replication(automatic=Replication.Automatic()))


@pytest.fixture
def secret(secret_manager: SecretManagerServiceClient) -> str:
    """The name of a secret that no other test knows."""
    return secret_manager.create_secret(
        parent=PARENT,
        secret_id=f"s-{uuid.uuid4()}",
        secret=Secret(REPLICATED, labels={"team": "blue"}),
    ).name


@pytest.fixture
def add(secret_manager: SecretManagerServiceClient, secret: str) -> Callable[[bytes], str]:
    """Adds a version to the secret and returns its name."""

    def add_version(data: bytes) -> str:
        return secret_manager.add_secret_version(
            parent=secret, payload=SecretPayload(data=data)
        ).name

    return add_version


def states(client: SecretManagerServiceClient, secret: str, only: str = "") -> dict[int, State]:
    listed = client.list_secret_versions(request={"parent": secret, "filter": only})
    return {int(each.name.rpartition("/")[2]): each.state for each in listed}


def test_a_secret_is_created_once(secret_manager: SecretManagerServiceClient, secret: str) -> None:
    stored = secret_manager.get_secret(name=secret)
    assert dict(stored.labels) == {"team": "blue"}
    assert stored.etag.startswith('"')
    with pytest.raises(AlreadyExists):
        secret_manager.create_secret(
            parent=PARENT,
            secret_id=secret.rpartition("/")[2],
            secret=REPLICATED,
        )


@pytest.mark.parametrize("secret_id", ["", "with space", "dots.in.it", "x" * 256])
def test_odd_names_are_refused(secret_manager: SecretManagerServiceClient, secret_id: str) -> None:
    with pytest.raises(InvalidArgument):
        secret_manager.create_secret(parent=PARENT, secret_id=secret_id, secret=REPLICATED)


def test_a_secret_needs_a_replication(secret_manager: SecretManagerServiceClient) -> None:
    with pytest.raises(InvalidArgument):
        secret_manager.create_secret(parent=PARENT, secret_id=f"s-{uuid.uuid4()}", secret=Secret())


def test_a_version_is_readable_by_its_number_at_once(
    secret_manager: SecretManagerServiceClient, add: Callable[[bytes], str]
) -> None:
    names = [add(data) for data in (b"one", b"two", b"\x00\xff")]
    assert [name.rpartition("/")[2] for name in names] == ["1", "2", "3"]
    reply = secret_manager.access_secret_version(name=names[2])
    assert reply.name == names[2]
    assert reply.payload.data == b"\x00\xff"
    assert reply.payload.data_crc32c == google_crc32c.value(b"\x00\xff")


def test_latest_is_the_version_created_last(
    secret_manager: SecretManagerServiceClient, secret: str, add: Callable[[bytes], str]
) -> None:
    latest = f"{secret}/versions/latest"
    with pytest.raises(NotFound):
        secret_manager.access_secret_version(name=latest)
    add(b"one")
    newest = add(b"two")
    assert secret_manager.access_secret_version(name=latest).payload.data == b"two"
    assert secret_manager.get_secret_version(name=latest).name == newest
    secret_manager.disable_secret_version(name=newest)
    with pytest.raises(FailedPrecondition):
        secret_manager.access_secret_version(name=latest)


def test_what_is_missing_is_not_found(
    secret_manager: SecretManagerServiceClient, secret: str
) -> None:
    missing = f"{PARENT}/secrets/missing-{uuid.uuid4()}"
    with pytest.raises(NotFound):
        secret_manager.get_secret(name=missing)
    with pytest.raises(NotFound):
        secret_manager.add_secret_version(parent=missing, payload=SecretPayload(data=b"x"))
    with pytest.raises(NotFound):
        secret_manager.access_secret_version(name=f"{secret}/versions/7")
    with pytest.raises(NotFound):
        list(secret_manager.list_secret_versions(parent=missing))


def test_a_disabled_version_is_not_accessible_until_enabled(
    secret_manager: SecretManagerServiceClient, add: Callable[[bytes], str]
) -> None:
    name = add(b"one")
    assert secret_manager.disable_secret_version(name=name).state == State.DISABLED
    with pytest.raises(FailedPrecondition, match="DISABLED"):
        secret_manager.access_secret_version(name=name)
    assert secret_manager.enable_secret_version(name=name).state == State.ENABLED
    assert secret_manager.access_secret_version(name=name).payload.data == b"one"


def test_a_destroyed_version_is_gone_for_good(
    secret_manager: SecretManagerServiceClient, add: Callable[[bytes], str]
) -> None:
    name = add(b"one")
    destroyed = secret_manager.destroy_secret_version(name=name)
    assert destroyed.state == State.DESTROYED
    assert destroyed.destroy_time >= destroyed.create_time
    with pytest.raises(FailedPrecondition, match="DESTROYED"):
        secret_manager.access_secret_version(name=name)
    for change in (
        secret_manager.enable_secret_version,
        secret_manager.disable_secret_version,
        secret_manager.destroy_secret_version,
    ):
        with pytest.raises(FailedPrecondition):
            change(name=name)


@secret_manager_needs("filters")
def test_versions_are_listed_newest_first(
    secret_manager: SecretManagerServiceClient, secret: str, add: Callable[[bytes], str]
) -> None:
    names = [add(b"x") for _ in range(5)]
    secret_manager.disable_secret_version(name=names[1])
    secret_manager.destroy_secret_version(name=names[2])
    assert list(states(secret_manager, secret)) == [5, 4, 3, 2, 1]
    assert list(states(secret_manager, secret, "state:ENABLED")) == [5, 4, 1]
    assert list(states(secret_manager, secret, "state:DESTROYED")) == [3]


def test_lists_come_in_pages(
    secret_manager: SecretManagerServiceClient, secret: str, add: Callable[[bytes], str]
) -> None:
    for _ in range(5):
        add(b"x")
    pages = list(
        secret_manager.list_secret_versions(request={"parent": secret, "page_size": 2}).pages
    )
    assert [len(page.versions) for page in pages] == [2, 2, 1]
    assert pages[0].total_size == 5
    add(b"x")
    second = secret_manager.list_secret_versions(
        request={"parent": secret, "page_size": 2, "page_token": pages[0].next_page_token}
    )
    first_of_second = next(iter(second)).name
    assert first_of_second.endswith("/3")


def test_secrets_are_listed_newest_first(
    secret_manager: SecretManagerServiceClient, secret: str
) -> None:
    listed = secret_manager.list_secrets(request={"parent": PARENT})
    assert next(iter(listed)).name == secret


@secret_manager_needs("etags")
def test_a_stale_etag_is_refused(
    secret_manager: SecretManagerServiceClient, add: Callable[[bytes], str]
) -> None:
    name = add(b"x")
    first = secret_manager.get_secret_version(name=name).etag
    second = secret_manager.enable_secret_version(request={"name": name, "etag": first}).etag
    assert second != first
    with pytest.raises(FailedPrecondition):
        secret_manager.disable_secret_version(request={"name": name, "etag": first})
    secret_manager.disable_secret_version(request={"name": name, "etag": second})


def test_a_secret_is_updated_by_mask(
    secret_manager: SecretManagerServiceClient, secret: str
) -> None:
    updated = secret_manager.update_secret(
        secret=Secret(
            name=secret,
            labels={"team": "red"},
            annotations={"ignored": "yes"},
        ),
        update_mask={"paths": ["labels"]},
    )
    assert dict(updated.labels) == {"team": "red"}
    assert dict(updated.annotations) == {}
    with pytest.raises(InvalidArgument):
        secret_manager.update_secret(
            secret=Secret(name=secret), update_mask={"paths": ["replication"]}
        )


def test_a_payload_is_bounded_and_checked(
    secret_manager: SecretManagerServiceClient, secret: str, add: Callable[[bytes], str]
) -> None:
    add(b"x" * 65536)
    with pytest.raises(InvalidArgument):
        add(b"x" * 65537)
    right = SecretPayload(data=b"x", data_crc32c=google_crc32c.value(b"x"))
    version = secret_manager.add_secret_version(parent=secret, payload=right)
    assert version.client_specified_payload_checksum
    wrong = SecretPayload(data=b"x", data_crc32c=google_crc32c.value(b"y"))
    with pytest.raises(InvalidArgument):
        secret_manager.add_secret_version(parent=secret, payload=wrong)


def test_deletion_takes_the_versions_along(
    secret_manager: SecretManagerServiceClient, secret: str, add: Callable[[bytes], str]
) -> None:
    version = add(b"x")
    secret_manager.delete_secret(name=secret)
    with pytest.raises(NotFound):
        secret_manager.get_secret(name=secret)
    with pytest.raises(NotFound):
        secret_manager.access_secret_version(name=version)


async def test_the_asynchronous_client_does_the_same(
    async_secret_manager: SecretManagerServiceAsyncClient, secret: str
) -> None:
    for data in (b"one", b"two"):
        await async_secret_manager.add_secret_version(
            parent=secret, payload=SecretPayload(data=data)
        )
    listed = await async_secret_manager.list_secret_versions(
        request={"parent": secret, "filter": "state:ENABLED"}
    )
    names = [each.name async for each in listed]
    replies = [await async_secret_manager.access_secret_version(name=name) for name in names]
    assert [reply.payload.data for reply in replies] == [b"two", b"one"]
    with pytest.raises(NotFound):
        await async_secret_manager.access_secret_version(name=f"{secret}/versions/3")
