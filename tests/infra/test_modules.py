"""`terraform test` with mock providers, and what the refusals say."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.infra.workspace import REPOSITORY, Workspace

INFRA = REPOSITORY / "infra"
TESTED = sorted({str(path.parents[1].relative_to(INFRA)) for path in INFRA.rglob("*.tftest.hcl")})


def _diagnostics(events: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for event in events:
        if event["type"] == "diagnostic":
            yield event["diagnostic"] | {"file": event.get("@testfile", "")}


def _summary(events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    (summary,) = [event["test_summary"] for event in events if event["type"] == "test_summary"]
    return summary  # type: ignore[no-any-return]  # JSON


@pytest.mark.parametrize("directory", TESTED)
def test_terraform_test(workspace: Workspace, directory: str) -> None:
    if directory != ".":
        workspace.init(directory)
    events = workspace.test(at=directory)
    summary = _summary(events)
    told = [f"{d['file']}: {d['summary']}: {d['detail']}" for d in _diagnostics(events)]
    assert summary["status"] == "pass", "\n".join(told)
    assert summary["passed"] > 0


SHARED = "projects/my-project/topics/gemini-webhooks"
REFUSED: Sequence[tuple[str, object, str]] = [
    ("activation_seconds", 601, "between 0 and 600"),
    ("alerts", {"error_ratio": 5}, "as in 0.05"),
    ("alerts", {"saturated_per_minute": -1}, "from 0 up"),
    ("alerts", {"emails": ["team"]}, "as in team@example.com"),
    ("alerts", {"dead_letter_age_days": 31}, "between 1 and 30"),
    ("alerts", {"notification_channels": ["me@example.com"]}, "channels list"),
    ("alerts", {"oldest_unacked_seconds": 0}, "at least 60"),
    ("alerts", {"oldest_unacked_seconds": 599}, "until its file is closed"),
    ("archive", {"file_seconds": 5}, "between 60 and 600"),
    ("archive", {"delete_after_days": 0}, "null keeps files for ever"),
    ("collect", {"bucket": "gs://results"}, "without gs://"),
    ("collect", {"bucket": "results", "delete_after_days": 7}, "your own bucket yourself"),
    ("collect", {"bucket": "results", "force_destroy": True}, "your own bucket yourself"),
    ("collect", {"delete_after_days": 0}, "at least 1"),
    ("collect", {"filter": "a" * 257}, "256 characters"),
    ("deployer", "me@example.com", "as in user:you@example.com"),
    ("functions", {"receiver": {"max_instances": 0}}, "max_instances is at least 1"),
    ("functions", {"receiver": {"max_instances": 2, "min_instances": 3}}, "at least min_instances"),
    ("functions", {"dispatcher": {"concurrency": 2000}}, "between 1 and 1000"),
    ("functions", {"receiver": {"cpu": "0.5"}}, "set concurrency = 1"),
    ("functions", {"receiver": {"cpu": "abc"}}, 'as in "0.5"'),
    ("functions", {"receiver": {"cpu": "3"}}, "1, 2, 4, 6 or 8"),
    ("functions", {"registrar": {"cpu": "4"}}, "at least 2Gi"),
    ("functions", {"registrar": {"cpu": "8", "memory": "2Gi"}}, "at least 4Gi"),
    ("gemini_api_key", "", "aistudio.google.com/apikey"),
    ("gemini_api_key", "a key with blanks", "neither blanks nor line breaks"),
    ("gemini_api_key_version", 0, "whole number from 1"),
    ("gemini_api_key_version", 1.5, "raise it by one"),
    ("gemini_base_url", "generativelanguage.googleapis.com", "as in https://"),
    ("functions", {"collector": {"max_instances": 0}}, "max_instances is at least 1"),
    ("jobs", {"adopt": "videos"}, "none or batches"),
    ("jobs", {"budget_seconds": 900}, "15 minutes later"),
    ("jobs", {"clients": ["allUsers"]}, "as in serviceAccount:reports@"),
    ("jobs", {"clients": ["reports@my-project.iam.gserviceaccount.com"]}, "as IAM members"),
    ("jobs", {"give_up_hours": 12}, "may still appear"),
    ("jobs", {"per_second": 0}, "from 1 to 100"),
    ("kms_key", "my-key", "projects/PROJECT/locations"),
    ("kms_key", "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1", "without"),
    ("labels", {"Team": "Blue"}, "lower-case"),
    ("ledger", {"dedup_retention_days": 0}, "24 hours"),
    ("load_balancer", {"domain": "https://events.example.com"}, "as in events.example.com"),
    ("load_balancer", {"domain": "a.example.com", "requests_per_minute": 1}, "at least 60"),
    ("name", "goog-webhooks", "not with"),
    ("name", "my-google-relay", "buckets"),
    ("name", "a-name-that-is-too-long", "4 to 19"),
    ("name", "Relay", "lower-case"),
    ("project", "123456789012", "not its number"),
    ("project", "My Project", "gcloud projects list"),
    ("propagation_seconds", 601, "between 0 and 600"),
    ("region", "europe-west1-b", "not a zone"),
    ("region", "EU", "as in europe-west1"),
    ("rotation", {"days": 1}, "at least 2"),
    ("rotation", {"revocation_behavior": "now"}, "revoke_previous_secrets_immediately"),
    ("rotation", {"schedule": "monthly"}, "five fields"),
    ("routes", {"events": {}}, "are taken"),
    ("routes", {"Blue": {}}, "lower-case"),
    ("routes", {"blue": {"types": []}}, "matches nothing"),
    ("routes", {"blue": {"topic": "blue"}}, "named in full"),
    ("routes", {"a": {"topic": SHARED}, "b": {"topic": SHARED}}, "give a subscriber a filter"),
    ("routes", {"a": {"topic": f"{SHARED}-ingress"}}, "none of the relay's own"),
    ("runtime", "nodejs22", "python313"),
    ("subscribers", {"mine": {}}, "exactly one of"),
    ("subscribers", {"mine": {"pull": {}, "push": {"endpoint": "https://a.b"}}}, "exactly one of"),
    ("subscribers", {"dispatch": {"pull": {}}}, "are taken"),
    ("subscribers", {"collect": {"pull": {}}}, "as in worker"),
    ("subscribers", {"collector": {"pull": {}}}, "are taken"),
    ("subscribers", {"mine-dead-letter": {"pull": {}}}, "are taken"),
    ("subscribers", {"archive-ingress": {"pull": {}}}, "are taken"),
    ("subscribers", {"my_own": {"pull": {}}}, "hyphens"),
    ("subscribers", {"mine": {"pull": {}, "topic": "blue"}}, "one of the routes"),
    ("subscribers", {"mine": {"pull": {}, "filter": "a" * 257}}, "256 characters"),
    ("subscribers", {"mine": {"pull": {}, "ack_deadline_seconds": 5}}, "between 10 and 600"),
    ("subscribers", {"mine": {"storage": {"bucket": "b", "max_seconds": 30}}}, "between 60 and"),
    (
        "subscribers",
        {"mine": {"ack_deadline_seconds": 60, "storage": {"bucket": "b", "max_seconds": 61}}},
        "may not exceed ack_deadline_seconds",
    ),
    ("subscribers", {"mine": {"pull": {}, "dead_letter": {"max_attempts": 1}}}, "5 and 100"),
    ("subscribers", {"mine": {"pull": {}, "retry": {"minimum_seconds": 700}}}, "0 and 600"),
    ("subscribers", {"mine": {"push": {"endpoint": "worker"}}}, "is a URL"),
    ("subscribers", {"mine": {"bigquery": {"table": "events"}}}, "PROJECT.DATASET.TABLE"),
    ("topic_retention", {"ingress": "7d"}, "ends with s"),
    ("topic_retention", {"ingress": "9999999s"}, "2678400s"),
    ("verification", {"max_body_bytes": 0}, "between 1024"),
    ("verification", {"max_body_bytes": 1048577}, "between 1024"),
    ("verification", {"jwt_audiences": ["https://hooks.example.com"]}, "name neither"),
    ("functions", {"receiver": {"memory": "0.5G"}}, "as in 512Mi"),
    ("functions", {"receiver": {"memory": "256Mi", "concurrency": 200}}, "up to four times"),
    ("functions", {"dispatcher": {"memory": "128Mi"}}, "up to four times"),
    ("operators", ["group:team@example.com"], "as in user:you@example.com"),
    ("verification", {"timestamp_tolerance_seconds": 0}, "between 1 and 86400"),
    ("verification", {"schemes": ["v2"]}, "v1, v1a and jwt"),
    ("verification", {"schemes": ["v1", "jwt"]}, "jwt_audiences"),
    ("verification", {"schemes": ["v1a"]}, "signs with v1"),
    ("wait_seconds", 300, "between 1 and 100"),
    ("webhook", {"events": []}, "at least one"),
    ("webhook", {"events": ["done"]}, "batch.succeeded"),
    ("webhook", {"events": ["batch.failed", "batch.failed"]}, "once"),
    ("webhook", {"uri": "http://example.com"}, "https URL"),
]
ACCEPTED = {
    "archive": {},
    "deployer": "user:me@example.com",
    "gemini_api_key": "not-a-real-key",
    "project": "my-project",
    "region": "europe-west1",
}


@pytest.fixture(scope="module")
def refusals(workspace: Workspace) -> Mapping[str, str]:
    """What Terraform says to each of the refused values, by the name of the case's file."""
    # The variables alone: no provider is started to refuse one.
    folder = workspace.root / "refused"
    (folder / "tests").mkdir(parents=True)
    shutil.copy(workspace.infra / "variables.tf", folder)
    for number, (name, value, _) in enumerate(REFUSED):
        values = ACCEPTED | {name: value}
        lines = "".join(f"  {key} = {json.dumps(given)}\n" for key, given in values.items())
        case = f'variables {{\n{lines}}}\nrun "refused" {{\n  command = plan\n}}\n'
        (folder / "tests" / f"case{number}.tftest.hcl").write_text(case)
    workspace.init("../refused")
    events = workspace.test(at="../refused")
    said: dict[str, str] = {}
    for diagnostic in _diagnostics(events):
        file = Path(diagnostic["file"]).name
        said[file] = said.get(file, "") + f"{diagnostic['summary']}: {diagnostic['detail']}\n"
    return said


@pytest.mark.parametrize(
    ("number", "name", "hint"),
    [
        pytest.param(number, name, hint, id=f"{name}={json.dumps(value)[:40]}")
        for number, (name, value, hint) in enumerate(REFUSED)
    ],
)
def test_a_wrong_value_is_refused_with_a_hint(
    refusals: Mapping[str, str], number: int, name: str, hint: str
) -> None:
    said = refusals.get(f"case{number}.tftest.hcl", "")
    assert said.startswith("Invalid value for variable: "), said
    assert hint in said, f"{name}: {said}"


def test_every_validation_refuses_a_value(refusals: Mapping[str, str]) -> None:
    rules = (INFRA / "variables.tf").read_text().count("  validation {\n")
    said = {text.partition("Invalid value for variable: ")[2] for text in refusals.values()}
    assert len(said) >= rules
