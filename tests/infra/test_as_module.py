"""`infra/` as a module of somebody else's configuration, once for each environment."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.infra.workspace import Workspace

# With the other plans, whose worker has made the workspace.
pytestmark = pytest.mark.xdist_group("terraform-plan")

THEIRS = """
terraform {
  required_version = ">= 1.11"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.0"
    }
  }
}

provider "google" {
  alias  = "relay"
  region = "europe-west1"
}

variable "gemini_api_key" {
  type      = string
  ephemeral = true
  sensitive = true
}

locals {
  environments = {
    production = { emails = ["team@example.com"] }
    staging    = { emails = [] }
  }
}

module "relay" {
  source         = "../infra"
  for_each       = local.environments
  project        = "my-${each.key}"
  region         = "europe-west1"
  deployer       = "group:team@example.com"
  gemini_api_key = var.gemini_api_key
  labels         = { environment = each.key }

  alerts = {
    emails  = each.value.emails
    enabled = each.key == "production"
  }

  subscribers = {
    worker = { pull = {} }
  }

  providers = {
    google = google.relay
  }
}

output "urls" {
  value = { for key, relay in module.relay : key => relay.topics }
}
"""
ENVIRONMENTS = ("production", "staging")

Resources = list[dict[str, Any]]


def _managed(module: Mapping[str, Any]) -> Resources:
    found = [each for each in module.get("resources", ()) if each["mode"] == "managed"]
    for child in module.get("child_modules", ()):
        found += _managed(child)
    return found


@pytest.fixture(scope="module")
def planned(workspace: Workspace) -> dict[str, Resources]:
    """The resources of each environment."""
    folder = workspace.root / "theirs"
    folder.mkdir()
    (folder / "main.tf").write_text(THEIRS)
    workspace.init("../theirs")
    plan = workspace.plan("../theirs", {}, api_key="not-a-real-key")
    modules = plan["planned_values"]["root_module"]["child_modules"]
    return {module["address"].split('"')[1]: _managed(module) for module in modules}


def test_each_environment_is_whole_and_in_its_own_project(planned: dict[str, Resources]) -> None:
    assert set(planned) == set(ENVIRONMENTS)
    for environment, resources in planned.items():
        projects = {
            each["values"]["project"]
            for each in resources
            # Left to the provider, it is known after apply; our resources say it themselves.
            if each["values"].get("project")
        }
        assert projects == {f"my-{environment}"}
        functions = [
            each for each in resources if each["type"] == "google_cloudfunctions2_function"
        ]
        assert len(functions) == 3
    alerts = {
        environment: len([r for r in found if r["type"] == "google_monitoring_alert_policy"])
        for environment, found in planned.items()
    }
    assert alerts == {"production": 12, "staging": 0}


def test_environments_do_not_share_an_archive(
    workspace: Workspace, planned: dict[str, Resources]
) -> None:
    archives = {
        each["values"]["source"]
        for found in planned.values()
        for each in found
        if each["type"] == "google_storage_bucket_object"
    }
    assert len(archives) == len(ENVIRONMENTS)
    assert sorted(path.name for path in (workspace.root / "theirs/.terraform").glob("*.zip")) == [
        "my-production-gemini-webhooks-source.zip",
        "my-staging-gemini-webhooks-source.zip",
    ]
