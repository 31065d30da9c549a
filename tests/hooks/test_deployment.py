import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hooks import stackfile
from hooks.deployment import Deployment, Where, find, of_stack
from hooks.errors import NoStack, UsageError
from tests.hooks.conftest import BLUE, NAMES, OUTPUTS, PROJECT

RUNNING = stackfile.Description(
    pid=1,
    command="dev",
    gemini_url="http://gemini",
    receive_url="http://receive",
    dispatch_url="http://dispatch",
    webhook="wh_1",
    topics={"ingress": "projects/laptop/topics/staging-ingress", "events": "e", "dead-letter": "d"},
    variables={
        "GOOGLE_CLOUD_PROJECT": "laptop",
        "PUBSUB_EMULATOR_HOST": "h:1",
        "FIRESTORE_EMULATOR_HOST": "h:2",
    },
)


def test_terraforms_outputs_say_what_is_where(outputs: Path) -> None:
    found = find(Where(outputs=outputs), {"PUBSUB_EMULATOR_HOST": "h:1", "HOME": "/"})
    assert found == Deployment(
        project=PROJECT,
        topics=OUTPUTS["topics"],
        dead_letters=NAMES.dead_letters,
        database="gemini-webhooks",
        webhook_url="https://receive.example",
        registrar_url="https://registrar.example",
        variables={"PUBSUB_EMULATOR_HOST": "h:1"},
    )
    assert (found.pubsub, found.firestore) == ("h:1", "")
    assert found.command("dlq", "list") == f"hooks dlq list --outputs {outputs}"
    token = "REGISTRAR_IDENTITY_TOKEN=$(gcloud auth print-identity-token)"
    assert found.command("doctor") == f"{token} hooks doctor --outputs {outputs}"
    assert found.topics["blue"] == BLUE


def test_a_subscribers_subscriptions_have_full_names_whether_the_outputs_are_short_or_full(
    tmp_path: Path,
) -> None:
    full = f"projects/{PROJECT}/subscriptions"
    with_letters = {
        "subscription": f"{full}/s",
        "dead_letter_subscription": "d",
        "identity": None,
    }
    without = {"subscription": f"{full}/s", "dead_letter_subscription": None, "identity": None}
    path = tmp_path / "plain.json"
    path.write_text(json.dumps(OUTPUTS | {"subscriptions": {"a": with_letters, "b": without}}))
    assert find(Where(outputs=path), {}).subscribers == {
        "a": {"subscription": f"{full}/s", "dead_letter_subscription": f"{full}/d"},
        "b": {"subscription": f"{full}/s", "dead_letter_subscription": ""},
    }


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text("{"),
        lambda path: path.write_text("[]"),
        lambda path: path.write_text("{}"),
        lambda path: path.write_text(json.dumps(OUTPUTS | {"subscriptions": None})),
        lambda path: path.write_text(json.dumps(OUTPUTS | {"topics": 1})),
        lambda path: path.write_text('"' + "x" * (2 << 20)),
    ],
)
def test_a_file_that_holds_no_outputs_is_refused_with_the_command_that_writes_them(
    outputs: Path, spoil: Callable[[Path], Any]
) -> None:
    spoil(outputs)
    with pytest.raises(UsageError, match="terraform -chdir=infra output -json"):
        find(Where(outputs=outputs), {})


def test_a_project_and_a_name_say_what_is_where() -> None:
    found = find(Where(project="p", name="staging"), {})
    assert found.ingress == "projects/p/topics/staging-ingress"
    assert found.dead_letters == "projects/p/subscriptions/staging-dead-letter"
    assert (found.database, found.webhook_url, found.local) == ("staging", "", False)
    assert find(Where(project="p"), {}).ingress == "projects/p/topics/gemini-webhooks-ingress"
    found = find(Where(project="p", database="(default)"), {})
    assert found.database == "(default)"
    assert found.command("dlq", "list") == "hooks dlq list --project p --database '(default)'"


@pytest.mark.parametrize(
    "where",
    [
        Where(project="p", outputs=Path("x")),
        Where(name="staging"),
        Where(database="d"),
    ],
)
def test_contradictory_options_are_refused(where: Where) -> None:
    with pytest.raises(UsageError, match="--project"):
        find(where, {})


def test_without_options_the_deployment_is_the_stack_of_this_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoStack, match="--outputs or --project"):
        find(Where(), {})
    with stackfile.locked() as file:
        file.announce(RUNNING)
        found = find(Where(), {"PUBSUB_EMULATOR_HOST": "another"})
    assert found == of_stack(RUNNING)
    assert found.command("doctor") == "hooks doctor"
    assert found.local
    assert found.pubsub == "h:1"
    assert found.database == "(default)"
    assert found.dead_letters == "projects/laptop/subscriptions/staging-dead-letter"


def test_a_deployed_stack_has_a_named_database() -> None:
    fields = vars(RUNNING) | {"command": "deploy"}
    assert of_stack(stackfile.Description(**fields)).database == "staging"
