"""A cold start ends with the answer to a function's first request."""

import dataclasses
import os

import httpx2
import pytest

from bench import starts
from bench.cores import divide
from bench.identity import identity
from bench.starts import First

CORES = divide(os.sched_getaffinity(0))


async def test_a_start_is_over_when_the_function_has_answered() -> None:
    with identity() as (signer, environ):
        noop = starts.starters(signer, environ)["noop"]
        assert await starts.start(noop, CORES) > 0


async def test_a_first_request_that_fails_is_no_start() -> None:
    with identity() as (signer, environ):
        receive = starts.starters(signer, environ)["receive"]
        receive = dataclasses.replace(receive, environ=environ, first=lambda: First(body=b"{}"))
        with pytest.raises(httpx2.HTTPStatusError):
            await starts.start(receive, CORES)


def test_every_deployed_function_starts_beside_the_no_op_and_its_libraries() -> None:
    with identity() as (signer, environ):
        everyone = starts.starters(signer, environ)
    names = ["receive", "dispatch", "registrar"]
    assert list(everyone) == [*names, "noop", *map(starts.libraries_of, names)]
    assert all(each.source.exists() for each in everyone.values())
