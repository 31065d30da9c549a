locals {
  # Whatever is made waits for the services: by way of the project id, since
  # depends_on would also put off every data source behind them.
  project = distinct([
    for service in google_project_service.services : service.project
  ])[0]
  project_number = data.google_project.project.number
  # It comes into being with its service, which what grants it something outside waits for as well.
  pubsub_agent = one([
    for service in google_project_service.services :
    "serviceAccount:service-${local.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    if service.service == "pubsub.googleapis.com"
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

# Read in the plan, so that every name in it is known: which is why the Resource
# Manager API is the one that must be on beforehand.
data "google_project" "project" {
  project_id = var.project
}
