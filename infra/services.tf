locals {
  # Resources take the project's id from here, and so wait for the services.
  # With depends_on, every data source behind them would also wait for apply.
  project = distinct([
    for service in google_project_service.services : service.project
  ])[0]
  project_number = data.google_project.project.number
  # Google creates the agent when the service is enabled. Grants outside the
  # project have to wait for that too, so they read the agent from the service.
  pubsub_agent = one([
    for service in google_project_service.services : join("@", [
      "serviceAccount:service-${local.project_number}",
      "gcp-sa-pubsub.iam.gserviceaccount.com",
    ]) if service.service == "pubsub.googleapis.com"
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
    var.kms_key == null ? [] : ["cloudkms.googleapis.com"],
  )
}

resource "google_project_service" "services" {
  for_each           = toset(local.services)
  project            = var.project
  service            = each.key
  disable_on_destroy = false
}

# The plan reads the project's number, so that it can show every name. Hence the
# Resource Manager API must be enabled before the first apply.
data "google_project" "project" {
  project_id = var.project
}
