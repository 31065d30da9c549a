from bench.collecting import MIB, measure


async def test_a_large_file_takes_little_memory() -> None:
    collected = await measure(96 * MIB)
    assert collected.digests_equal
    # Less than the file, whatever its size: `python -m bench.collecting` takes one of 2 GiB.
    assert collected.growth < 64 * MIB
