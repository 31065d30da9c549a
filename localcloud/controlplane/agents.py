"""Google's service agents: the accounts that its services act with in a customer's project.

https://cloud.google.com/iam/docs/service-agents
"""

from dataclasses import dataclass

from localcloud.controlplane.names import Project


@dataclass(frozen=True)
class Agent:
    """A service agent: the pattern of its address, and the role it is given on the project."""

    pattern: str
    role: str = ""

    def email(self, project: Project) -> str:
        """Return the agent's address in a project."""
        return self.pattern.format(number=project.number)


def _agent(domain: str, role: str = "") -> Agent:
    return Agent(f"service-{{number}}@{domain}.iam.gserviceaccount.com", role)


AGENTS: dict[str, tuple[Agent, ...]] = {
    "artifactregistry.googleapis.com": (
        _agent("gcp-sa-artifactregistry", "roles/artifactregistry.serviceAgent"),
    ),
    "cloudbuild.googleapis.com": (_agent("gcp-sa-cloudbuild", "roles/cloudbuild.serviceAgent"),),
    "cloudfunctions.googleapis.com": (
        _agent("gcf-admin-robot", "roles/cloudfunctions.serviceAgent"),
    ),
    "cloudscheduler.googleapis.com": (
        _agent("gcp-sa-cloudscheduler", "roles/cloudscheduler.serviceAgent"),
    ),
    "eventarc.googleapis.com": (_agent("gcp-sa-eventarc", "roles/eventarc.serviceAgent"),),
    "firestore.googleapis.com": (_agent("gcp-sa-firestore", "roles/firestore.serviceAgent"),),
    "pubsub.googleapis.com": (_agent("gcp-sa-pubsub", "roles/pubsub.serviceAgent"),),
    "run.googleapis.com": (_agent("serverless-robot-prod", "roles/run.serviceAgent"),),
    "secretmanager.googleapis.com": (_agent("gcp-sa-secretmanager"),),
    "storage.googleapis.com": (_agent("gs-project-accounts"),),
}
"""The agents by API; each is made some time after its API is enabled."""
