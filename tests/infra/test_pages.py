"""What the documents show of Terraform exists: variables, outputs, and a workflow to apply it."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.project import project
from tests.infra.workspace import REPOSITORY, Workspace

# With the other plans, whose worker has made the workspace.
pytestmark = pytest.mark.xdist_group("terraform-plan")

PAGES = ("README.md", "docs/deploy.md", "docs/operations.md", "docs/subscribing.md")
TEXT = "\n".join((REPOSITORY / page).read_text("utf-8") for page in PAGES)
WORKFLOW = (REPOSITORY / "infra/examples/github/deploy.yml").read_text("utf-8")
BLOCKS = [
    pytest.param(text, id=f"{page}-{number}")
    for page in ("deploy", "subscribing")
    for number, text in enumerate(
        re.findall(
            r"^```hcl\n(.*?)^```$",
            (REPOSITORY / f"docs/{page}.md").read_text("utf-8"),
            re.MULTILINE | re.DOTALL,
        ),
        1,
    )
    # Applied by test_apply_failing.py.
    if not text.startswith("import {")
]


@pytest.mark.parametrize("variables", BLOCKS)
def test_the_variables_are_accepted(workspace: Workspace, tmp_path: Path, variables: str) -> None:
    file = tmp_path / "shown.tfvars"
    file.write_text(variables)
    # The root module would ask Google who applies.
    deployer = () if "deployer" in variables else ("-var=deployer=user:me@example.com",)
    given = ("-var=project=my-project", "-var=region=europe-west1", *deployer)
    with project() as environ:
        environ |= {"TF_VAR_gemini_api_key": "an-API-key"}
        said = workspace.require(
            *("plan", "-no-color", "-input=false", f"-var-file={file}", *given), environ=environ
        )

    assert "Value for undeclared variable" not in said
    for name in re.findall(r"^  (\w+) += \{", variables, re.MULTILINE):
        assert re.search(rf'\["(route-)?{name}"\]', said)


def declared(kind: str) -> set[str]:
    files = (REPOSITORY / "infra").glob("*.tf")
    text = "".join(file.read_text("utf-8") for file in files)
    return set(re.findall(rf'^{kind} "(\w+)"', text, re.MULTILINE))


def test_what_the_pages_import_is_an_address_of_the_deployment() -> None:
    page = (REPOSITORY / "docs/deploy.md").read_text("utf-8")
    imports = re.findall(r"^terraform import (\S+) (\S+)$", page, re.MULTILINE)
    inventory = (REPOSITORY / "tests/infra/inventory/minimal.txt").read_text("utf-8").split()
    assert imports == [
        ("module.ledger.google_firestore_database.ledger", "my-project/gemini-webhooks")
    ]
    assert {address for address, _ in imports} <= set(inventory)
    # The row of the error that makes the import necessary leads to it.
    (row,) = [line for line in page.splitlines() if "Root object was present" in line]
    assert "(#importing-the-ledger)" in row
    assert "### Importing the ledger" in page


def test_the_page_explains_what_no_configuration_avoids() -> None:
    page = (REPOSITORY / "docs/deploy.md").read_text("utf-8")
    table = page.partition("## When apply fails")[2].partition("\n### ")[0]
    # As localcloud/controlplane words them.
    for message in ("Database ID '…' is not available", "Root object was present, but now absent"):
        assert f"| `{message}" in table


def test_the_first_steps_create_every_agent_that_is_granted_something() -> None:
    page = (REPOSITORY / "docs/deploy.md").read_text("utf-8")
    steps = page.partition("**3. Code.**")[0]
    (loop,) = re.findall(r"^for s in ([^\n;]+)", steps, re.MULTILINE)
    granted = "".join(file.read_text("utf-8") for file in (REPOSITORY / "infra").glob("*.tf"))
    agents = {
        "gcf-admin-robot": "cloudfunctions",
        "gcp-sa-artifactregistry": "artifactregistry",
        "gcp-sa-eventarc": "eventarc",
        "gcp-sa-firestore": "firestore",
        "gcp-sa-pubsub": "pubsub",
        "gcp-sa-secretmanager": "secretmanager",
        "serverless-robot-prod": "run",
    }
    found = set(re.findall(r"gcp-sa-[a-z]+|gcf-admin-robot|serverless-robot-prod", granted))
    assert found == set(agents)
    assert {agents[each] for each in found} <= set(loop.split())
    assert "gcloud beta services identity create --service=$s.googleapis.com" in steps
    assert "gcloud storage service-agent" in steps  # gs-project-accounts


def test_a_page_enables_what_it_creates_an_identity_with() -> None:
    for page, needed in (("deploy", {"iam", "iamcredentials", "sts"}), ("first-apply", {"iam"})):
        text = (REPOSITORY / f"docs/{page}.md").read_text("utf-8").replace("\\\n", " ")
        before = text.partition("gcloud iam service-accounts create")[0].rpartition("```sh\n")[2]
        (enabled,) = re.findall(r"^gcloud services enable (.+?) --project", before, re.MULTILINE)
        assert {f"{each}.googleapis.com" for each in needed} <= set(enabled.split())


def test_the_alerts_that_the_first_apply_sets_off_need_no_more_than_it_does() -> None:
    page = (REPOSITORY / "docs/first-apply.md").read_text("utf-8")
    step = page.partition("**6. Alerts**")[2].partition("**7. ")[0]
    (tried,) = re.findall(r"seq (\d+)", step)
    variables = (REPOSITORY / "infra/variables.tf").read_text("utf-8")
    thresholds = re.findall(r"(?:forbidden|refused)_per_hour += optional\(number, (\d+)", variables)
    assert len(thresholds) == 2
    assert int(tried) > max(map(int, thresholds))
    # A schedule that goes on at once sets nothing off.
    pausing, resuming = re.findall(r"^```sh\n(.*?)^```$", step, re.MULTILINE | re.DOTALL)
    assert ("jobs pause" in pausing, "jobs resume" in resuming) == (True, True)
    assert "resume" not in pausing


def test_where_a_group_applies_the_page_names_who_may_command_the_registrar() -> None:
    page = (REPOSITORY / "docs/deploy.md").read_text("utf-8")
    step = page.partition("**5. Apply.**")[2].partition("**6. ")[0]
    rights = page.partition("## Identities and rights")[2].partition("\n## ")[0]
    (shown,) = re.findall(r'^deployer +=.*"group:.*\n(.*)$', page, re.MULTILINE)
    assert "`operators`" in step
    assert "\n| `operators` | invoke the registrar" in rights
    assert shown.startswith("operators = ")


def test_outputs_and_variables_that_pages_name_exist() -> None:
    outputs = set(re.findall(r"terraform output (?:-raw )?(\w+)", TEXT))
    variables = set(re.findall(r"(?:TF_VAR_|-var )(\w+)", TEXT))

    assert {"registrar_url", "subscriptions"} <= outputs <= declared("output")
    assert {"gemini_api_key", "registered"} <= variables <= declared("variable")


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOW)["jobs"]
    return found


@pytest.fixture(scope="module")
def steps(jobs: dict[str, Any]) -> list[dict[str, str]]:
    return [step for job in jobs.values() for step in job["steps"]]


def test_the_workflow_pins_its_actions_by_commit(steps: list[dict[str, str]]) -> None:
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each) for each in used)


def test_the_workflow_has_no_rights_but_those_that_it_needs() -> None:
    assert yaml.safe_load(WORKFLOW)["permissions"] == {"contents": "read", "id-token": "write"}


def commands(job: dict[str, Any]) -> list[list[str]]:
    scripts = [step["run"] for step in job["steps"] if "run" in step]
    found = [shlex.split(line) for script in scripts for line in script.splitlines()]
    return [words[:2] for words in found if words[0] in {"tar", "terraform"}]


def test_the_workflow_applies_what_it_has_planned(jobs: dict[str, Any]) -> None:
    everywhere = yaml.safe_load(WORKFLOW)["env"]
    given = {
        name.removeprefix("TF_VAR_")
        for name in everywhere | jobs["plan"]["env"]
        if name.startswith("TF_VAR_")
    }
    assert given <= declared("variable")
    assert {"project", "region", "gemini_api_key"} <= given
    # The plan holds every variable but this; test_update.py applies one so.
    assert [name for name in everywhere if name.startswith("TF_VAR_")] == ["TF_VAR_gemini_api_key"]
    assert "env" not in jobs["apply"]
    first, second = commands(jobs["plan"]), commands(jobs["apply"])
    assert first == [["terraform", "init"], ["terraform", "plan"], ["tar", "--create"]]
    assert second == [["tar", "--extract"], ["terraform", "init"], ["terraform", "apply"]]
    # With the providers that planned; and where infra/modules/builder makes the archive.
    assert "tfplan .terraform.lock.hcl .terraform/*-source.zip\n" in WORKFLOW
    (init,) = [step["run"] for step in jobs["apply"]["steps"] if "init" in step.get("run", "")]
    assert "-lockfile=readonly" in init


def test_no_expression_of_the_workflow_is_part_of_a_script(steps: list[dict[str, str]]) -> None:
    assert not [step for step in steps if "${{" in step.get("run", "")]


def test_the_page_names_every_setting_of_the_workflow() -> None:
    settings = set(re.findall(r"\$\{\{ (?:vars|secrets)\.(\w+) \}\}", WORKFLOW))
    page = (REPOSITORY / "docs/deploy.md").read_text("utf-8")
    assert settings
    assert not [name for name in settings if f"`{name}`" not in page]
