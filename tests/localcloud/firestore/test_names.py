import pytest

from localcloud.core.rpc import RpcError
from localcloud.firestore import names
from tests.support.firestore_messages import DATABASE, ROOT


@pytest.mark.parametrize(
    "path", ["a/b", "a/b/c/d", "a/__id7__", "ünï/\U0001f600", f"a/{'x' * 1500}"]
)
def test_names_of_documents(path: str) -> None:
    names.check_document(f"{ROOT}/{path}", DATABASE)


@pytest.mark.parametrize("path", ["", "a", "a/b/c", "a/", "/b", "__x__/a", f"a/{'x' * 1501}"])
def test_malformed_document_names_are_refused(path: str) -> None:
    with pytest.raises(RpcError, match="Document name"):
        names.check_document(f"{ROOT}/{path}", DATABASE)


def test_a_whole_name_is_bounded() -> None:
    deep = "/".join(["x" * 1000] * 8)
    with pytest.raises(RpcError, match="longer than 6144 bytes"):
        names.check_document(f"{ROOT}/{deep}", DATABASE)


@pytest.mark.parametrize(
    "name", ["projects/p/databases/other/documents/a/b", f"{DATABASE}x/documents/a/b", "a/b", ""]
)
def test_a_name_belongs_to_its_database(name: str) -> None:
    with pytest.raises(RpcError, match="not in the database"):
        names.check_document(name, DATABASE)


def test_a_parent_is_the_root_or_a_document() -> None:
    names.check_parent(ROOT, DATABASE)
    names.check_parent(f"{ROOT}/a/b", DATABASE)
    with pytest.raises(RpcError):
        names.check_parent(f"{ROOT}/a", DATABASE)


def test_the_database_of_a_name() -> None:
    assert names.database_of(f"{ROOT}/a/b") == DATABASE
    assert names.database_of(DATABASE) == DATABASE
    with pytest.raises(RpcError, match="does not start with"):
        names.database_of("somewhere/else")
