"""An agent that asks before it acts, answered by a person at a terminal.

python approve_actions.py "Refund the orders of yesterday"
"""

import sys
from collections.abc import Callable
from typing import Any

from gemini_relay import Job, Jobs

MODEL = "gemini-3-pro-preview"
REFUND: dict[str, Any] = {
    "type": "function",
    "name": "refund",
    "description": "Refund an order. A person approves it first.",
    "parameters": {
        "type": "object",
        "properties": {"order": {"type": "string"}, "amount": {"type": "number"}},
        "required": ["order", "amount"],
    },
}

Decide = Callable[[str, dict[str, Any]], Any]
"""Decides on a call by its name and arguments, and returns its result."""


def run(jobs: Jobs, task: str, decide: Decide) -> Job:
    """Let the agent work, answer each of its calls, and return the last job once it has ended."""
    job = jobs.interaction(model=MODEL, input=task, tools=[REFUND])
    while True:
        job = jobs.wait(job, until="action")
        if job.ended:
            return job
        calls = jobs.pending(job)
        answers = {call.id: decide(call.name, call.arguments) for call in calls}
        # A question that is no call is answered in words.
        job = jobs.answer(job, answers or "Go on.", tools=[REFUND])


def ask(name: str, arguments: dict[str, Any]) -> dict[str, bool]:
    """Ask at the terminal."""
    return {"approved": input(f"{name} {arguments}? [y/N] ").lower() == "y"}


if __name__ == "__main__":
    with Jobs.from_environ() as opened:
        end = run(opened, sys.argv[1], ask)
        sys.stdout.write(f"{opened.result(end).output_text}\n" if end.succeeded else f"{end}\n")
