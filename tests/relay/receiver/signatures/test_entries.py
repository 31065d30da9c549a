import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.receiver.signatures.entries import MAX_ENTRIES, parse_entries


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"v1,abc=", {"v1": [b"abc="]}),
        (b"v1,a v1a,b v1,c", {"v1": [b"a", b"c"], "v1a": [b"b"]}),
        (b"a.b.c", {"jwt": [b"a.b.c"]}),
        (b"v1,a a.b.c", {"v1": [b"a"], "jwt": [b"a.b.c"]}),
        (b"v9,new v1,a", {"v9": [b"new"], "v1": [b"a"]}),
        (b"", {}),
        (b" ", {}),
        (b"nocomma", {}),
        (b"a.b", {}),
        (b"a.b.c.d", {}),
        (b"v1,", {}),
        (b",abc", {"": [b"abc"]}),
        (b"v1,a,b", {"v1": [b"a,b"]}),
        (b"jwt,a.b.c", {}),
        (b"v1,a  v1,b", {"v1": [b"a", b"b"]}),
        (b"v1,a v1,a", {"v1": [b"a"]}),
    ],
)
def test_entries(header: bytes, found: dict[str, list[bytes]]) -> None:
    assert parse_entries(header) == found


def test_the_list_is_bounded() -> None:
    header = b" ".join(b"v1,%d" % number for number in range(1000))
    assert parse_entries(header) == {"v1": [b"%d" % number for number in range(MAX_ENTRIES)]}


@given(st.binary(max_size=200))
def test_nothing_raises(header: bytes) -> None:
    found = parse_entries(header)
    assert sum(map(len, found.values())) <= MAX_ENTRIES
