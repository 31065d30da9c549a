import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import __main__ as fuzz
from tests.fuzz.targets import TARGETS


@st.composite
def mutated(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A seed with some of its bytes replaced by others, or by a part of another seed."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 3))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
        other = draw(st.sampled_from(seeds))
        first, last = sorted(draw(st.tuples(*[st.integers(0, len(other))] * 2)))
        data = data[:start] + draw(st.binary(max_size=8) | st.just(other[first:last])) + data[end:]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds:
        target.check(seed)

    @settings(max_examples=200)
    @given(st.binary(max_size=200) | mutated(target.seeds))
    def holds(data: bytes) -> None:
        target.check(data)

    holds()


def test_what_libfuzzer_says_is_read() -> None:
    said = "INFO: seed\n#8\tpulse  cov: 3\nDone 1234 runs in 5 second(s)\n"
    assert fuzz.executions(said) == 1234
    stats = "stat::number_of_executed_units: 99\nstat::average_exec_per_sec: 1\n"
    assert fuzz.executions("#8\tpulse\n" + stats) == 99
    assert fuzz.executions("") == 0
