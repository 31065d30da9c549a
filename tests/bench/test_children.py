"""Processes that answer line by line, and end with their standard input."""

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


async def test_it_sees_what_it_is_given_of_an_environment() -> None:
    script = "import os; print(os.environ['BENCH_COLOUR'])"
    async with child(*python(script), environ={"BENCH_COLOUR": "blue"}) as running:
        assert running.greeting == "blue"


async def test_one_that_cannot_begin_is_a_failure() -> None:
    with pytest.raises(ChildFailed):
        async with child(*python("raise SystemExit(1)")):
            pytest.fail("it has not begun")


async def test_one_that_ends_too_soon_is_a_failure() -> None:
    async with child(*python("print('hello')")) as running:
        await running.process.wait()
        with pytest.raises(ChildFailed):
            await running.ask("are you there?")


def test_modules_run_under_the_same_python() -> None:
    assert module("bench.ledger", "10") == (sys.executable, "-m", "bench.ledger", "10")
