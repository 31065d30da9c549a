"""Interactions that go on from another: questions answered, and follow-ups.

The SDK knows one form of question, the step `function_call`; any other question is text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

MANAGED = "antigravity"
"""What the names of managed agents begin with, whether they are given as `agent` or as `model`."""


def pending(interaction: Any) -> list[Any]:
    """Return the `function_call` steps of an SDK's interaction that have no result yet."""
    steps = list(interaction.steps or ())
    answered = {
        getattr(step, "call_id", None) for step in steps if _type(step) == "function_result"
    }
    return [
        step
        for step in steps
        if _type(step) == "function_call" and getattr(step, "id", None) not in answered
    ]


def answers(calls: Sequence[Any], values: Mapping[str, Any] | str) -> Any:
    """Return the input that answers: a text, or a `function_result` for each call.

    `values` holds results by the call's id: text, an object, or a list of content. Raises
    `ValueError` unless they are for the calls that are open, which Gemini takes together alone.
    """
    if isinstance(values, str):
        return values
    names = {call.id: call.name for call in calls}
    if set(values) != set(names):
        raise ValueError(f"answer the open calls, all of them: {', '.join(sorted(names)) or '-'}")
    return [
        {
            "type": "function_result",
            "call_id": identifier,
            "name": names[identifier],
            "result": _result(value),
        }
        for identifier, value in values.items()
    ]


def going_on(interaction: Any) -> dict[str, Any]:
    """Return what a request must carry to go on from an SDK's interaction.

    That is the model or agent, `previous_interaction_id`, the tools that it declared, and the
    `environment` of a managed agent.
    """
    carried: dict[str, Any] = {"previous_interaction_id": interaction.id}
    for name in ("agent", "model"):
        if target := getattr(interaction, name, None):
            carried[name] = str(target)
            break
    environment = getattr(interaction, "environment_id", None) or _plain(
        getattr(interaction, "environment", None)
    )
    if environment is None and managed(carried.get("agent") or carried.get("model")):
        # Gemini tells no environment's id where the request named none, and yet requires one.
        environment = "remote"
    if environment:
        carried["environment"] = environment
    if tools := getattr(interaction, "tools", None):
        carried["tools"] = [_plain(tool) for tool in tools]
    return carried


def managed(target: str | None) -> bool:
    """Tell whether a model or agent is a managed agent, which runs in an environment."""
    return (target or "").removeprefix("models/").removeprefix("agents/").startswith(MANAGED)


def _type(step: Any) -> str:
    return str(getattr(step, "type", ""))


def _result(value: Any) -> Any:
    # The API takes text, an object, or a list of content.
    return value if isinstance(value, str | Mapping | list) else str(value)


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    return dump(mode="json", exclude_none=True, warnings=False) if dump else value
