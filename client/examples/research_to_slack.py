"""Deep Research, told to a Slack channel once.

    SLACK_WEBHOOK_URL=https://hooks.slack.com/… python research_to_slack.py "Who makes TPUs?"

Run it from cron as often as you like: one day's question is researched once, and told once; what
has been told lies in the directory `told`. Where it is not known whether the research was started,
this ends with an error, and a later run tells the report if there is one.
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from gemini_relay import Job, JobFailed, Jobs

AGENT = "deep-research-pro-preview-12-2025"
_LONGEST_SECTION = 3000
"""Characters that Slack takes in a section: https://docs.slack.dev/reference/block-kit/blocks."""


def message(question: str, job: Job, report: str) -> dict[str, Any]:
    """Return a report as Slack's incoming webhooks take it."""
    text = report if len(report) <= _LONGEST_SECTION else f"{report[: _LONGEST_SECTION - 1]}…"
    return {
        "text": f"Research: {question}",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": question[:150]}},
            {"type": "section", "text": {"type": "mrkdwn", "text": text}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": f"`{job.id}`"}]},
        ],
    }


def failure(question: str, error: JobFailed) -> dict[str, Any]:
    """Return a message for research without a report."""
    return {"text": f"No research on {question}: {error}"}


def run(jobs: Jobs, question: str, slack_url: str, told: Path) -> None:
    """Research a question, and tell the outcome to Slack, unless it lies in `told`."""
    key = f"research-{datetime.now(UTC):%Y-%m-%d}-{question}"
    job = jobs.wait(jobs.interaction(agent=AGENT, input=question, key=key[:512]))
    try:
        found = message(question, job, jobs.result(job).output_text)
    except JobFailed as error:
        found = failure(question, error)
    tell_once(slack_url, found, told / job.id)


def tell_once(slack_url: str, found: dict[str, Any], mark: Path) -> None:
    """Post a message, unless its mark is there: of two runs, one makes it."""
    mark.parent.mkdir(exist_ok=True)
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return
    try:
        httpx2.post(slack_url, json=found, timeout=30).raise_for_status()
    except httpx2.HTTPError:
        mark.unlink()
        raise


if __name__ == "__main__":
    with Jobs.from_environ() as opened:
        run(opened, sys.argv[1], os.environ["SLACK_WEBHOOK_URL"], Path("told"))
