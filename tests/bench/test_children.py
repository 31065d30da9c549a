"""Child processes answer line by line, and end with their standard input."""

import sys

import pytest

from bench.children import ChildFailed, child, module

SHOUT = """
import sys
print("hello", flush=True)
for line in sys.stdin:
    print(line.strip().upper(), flush=True)
"""


def python(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


async def test_each_line_is_answered_with_one() -> None:
    async with child(*python(SHOUT)) as running:
        assert running.greeting == "hello"
        assert [await running.ask("one"), await running.ask("two")] == ["ONE", "TWO"]
    assert running.process.returncode == 0


async def test_a_child_gets_the_given_variables() -> None:
    script = "import os; print(os.environ['BENCH_COLOUR'])"
    async with child(*python(script), environ={"BENCH_COLOUR": "blue"}) as running:
        assert running.greeting == "blue"


async def test_a_command_that_fails_to_start_raises() -> None:
    with pytest.raises(ChildFailed):
        async with child(*python("raise SystemExit(1)")):
            pytest.fail("the block must not begin")


async def test_asking_a_child_that_has_ended_raises() -> None:
    async with child(*python("print('hello')")) as running:
        await running.process.wait()
        with pytest.raises(ChildFailed):
            await running.ask("are you there?")


def test_a_module_runs_with_the_same_python() -> None:
    assert module("bench.ledger", "10") == (sys.executable, "-m", "bench.ledger", "10")
