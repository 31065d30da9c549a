"""A function in a wrong environment does not start, and says why."""

from collections.abc import Mapping

import pytest

from localcloud.core.errors import StartFailed
from localcloud.runner.process import FunctionProcess

RECEIVE = {
    "GOOGLE_CLOUD_PROJECT": "laptop",
    "WEBHOOK_SIGNING_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}
DISPATCH = {"GOOGLE_CLOUD_PROJECT": "laptop"}


@pytest.mark.parametrize(
    ("target", "environ", "message"),
    [
        ("receive", RECEIVE | {"GOOGLE_CLOUD_PROJECT": ""}, "GOOGLE_CLOUD_PROJECT is not set"),
        ("receive", RECEIVE | {"WEBHOOK_SIGNING_SECRET": "hunter2"}, "WEBHOOK_SIGNING_SECRET"),
        ("receive", RECEIVE | {"SCHEMES": "v1,v3"}, "SCHEMES names a scheme other than"),
        ("dispatch", DISPATCH | {"ROUTES": "[1]"}, "ROUTES entry 1 is not an object"),
        ("dispatch", DISPATCH | {"LEASE_SECONDS": "soon"}, "LEASE_SECONDS is not a whole number"),
    ],
)
async def test_a_wrong_environment_stops_the_start_with_a_message(
    target: str, environ: Mapping[str, str], message: str
) -> None:
    function = FunctionProcess(target, target=target, environ=environ)

    with pytest.raises(StartFailed) as failed:
        await function.start()
    await function.close()

    text = str(failed.value)
    assert message in text
    assert f"{target} cannot start: " in text
    assert "for example" in text
    assert "hunter2" not in text
    assert "Traceback" not in text
