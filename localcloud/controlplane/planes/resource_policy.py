"""The three IAM calls that most resources have."""

from collections.abc import Awaitable, Callable

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

Exists = Callable[[str], Awaitable[object]]
"""Looks a resource up by name, and raises `ApiError` or `RpcError` if there is none."""


def policy_routes(state: State, prefix: str, name: str, exists: Exists) -> list[Route]:
    """Return the routes of a resource's policy.

    `prefix` is what stands before the resource's name in the path, such as `pubsub/v1/`; `name` is
    the pattern of the name.
    """

    async def resource(call: ApiCall) -> str:
        found = state.project.by_id(name.format(**call.names))
        await exists(found)
        return found

    async def get(call: ApiCall) -> Json:
        return state.policies.get(await resource(call))

    async def set_(call: ApiCall) -> Json:
        return state.policies.set(await resource(call), call.body.get("policy", {}))

    async def test(call: ApiCall) -> Json:
        found = await resource(call)
        asked = call.body.get("permissions", [])
        return {"permissions": [p for p in asked if state.policies.allows(call.identity, p, found)]}

    return [
        Route("GET", f"{prefix}{name}:getIamPolicy", get),
        Route("POST", f"{prefix}{name}:getIamPolicy", get),
        Route("POST", f"{prefix}{name}:setIamPolicy", set_),
        Route("POST", f"{prefix}{name}:testIamPermissions", test),
    ]
