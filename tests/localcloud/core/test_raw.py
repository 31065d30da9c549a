from hypothesis import given
from hypothesis import strategies as st

from localcloud.core.raw import micros, timestamp


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_microseconds_survive_a_timestamp(time: int) -> None:
    written = timestamp(time)
    assert micros(written) == time
    assert 0 <= written.nanos < 1_000_000_000
