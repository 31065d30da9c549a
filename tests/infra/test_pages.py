"""What the documents show as `terraform.tfvars` can be planned."""

import re
from pathlib import Path

import pytest

from tests.infra.project import project
from tests.infra.workspace import REPOSITORY, Workspace

# With the other plans, whose worker has made the workspace.
pytestmark = pytest.mark.xdist_group("terraform-plan")

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
