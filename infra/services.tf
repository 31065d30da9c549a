locals {
  # Whatever is made waits for the services: by way of the project id, since
  # depends_on would also put off every data source behind them.
  project = distinct([
    for service in google_project_service.services : service.project
  ])[0]
  project_number = data.google_project.project.number
  pubsub_agent   = "serviceAccount:service-${local.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  services = concat(
    [
      "artifactregistry.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudfunctions.googleapis.com",
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

# Apart from the others, since the project's number hangs on it: were they one
# resource, adding a service would put the number, and all that holds it, in
# doubt.
resource "google_project_service" "resource_manager" {
  project            = var.project
  service            = "cloudresourcemanager.googleapis.com"
  disable_on_destroy = false
}

resource "google_project_service" "services" {
  for_each           = toset(local.services)
  project            = var.project
  service            = each.key
  disable_on_destroy = false
}

data "google_project" "project" {
  project_id = var.project
  depends_on = [google_project_service.resource_manager]
}
