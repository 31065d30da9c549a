locals {
  # Resources take the project's id and Pub/Sub's agent from the wait after the
  # services, and so come after it. With depends_on, every data source behind
  # them would also wait for apply.
  project        = time_sleep.services.triggers["project"]
  project_number = data.google_project.project.number
  # Google creates the agent some time after the service has been enabled, and a
  # grant to an agent that does not exist fails at once.
  pubsub_agent = join("@", [
    "serviceAccount:service-${time_sleep.services.triggers["project_number"]}",
    "gcp-sa-pubsub.iam.gserviceaccount.com",
  ])
  services = concat(
    [
      "artifactregistry.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudfunctions.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "cloudscheduler.googleapis.com",
      "firestore.googleapis.com",
      "iam.googleapis.com",
      "iamcredentials.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "pubsub.googleapis.com",
      "run.googleapis.com",
      "secretmanager.googleapis.com",
      "storage.googleapis.com",
    ],
    var.load_balancer == null ? [] : ["compute.googleapis.com"],
    # Eventarc's agent handles a part of every function that has a key.
    var.kms_key == null
    ? []
    : ["cloudkms.googleapis.com", "eventarc.googleapis.com"],
  )
}

resource "google_project_service" "services" {
  for_each           = toset(local.services)
  project            = var.project
  service            = each.key
  disable_on_destroy = false
}

# "Service activation is not guaranteed by the time the resource is done", says
# the provider's guide: for minutes the API may answer 403 SERVICE_DISABLED, and
# the provider tries once. The service agents are as late.
resource "time_sleep" "services" {
  create_duration = "${var.activation_seconds}s"
  triggers = {
    project = distinct([
      for service in google_project_service.services : service.project
    ])[0]
    project_number = data.google_project.project.number
    services       = join(",", sort(keys(google_project_service.services)))
  }
}

# The plan reads the project's number, so that it can show every name. Hence the
# Resource Manager API must be enabled before the first apply.
data "google_project" "project" {
  project_id = var.project
}
