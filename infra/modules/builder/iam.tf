locals {
  function_sources = join("-", [
    "projects/_/buckets/gcf-v2-sources",
    var.project_number,
    var.region,
  ])
}

resource "google_service_account" "build" {
  project      = var.project
  account_id   = "${var.name}-build"
  display_name = "${var.name}: builds the functions"
}

resource "google_artifact_registry_repository_iam_member" "writer" {
  project    = var.project
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

# Cloud Functions reads the repository's settings before it builds, as an agent
# whose role on the project may not count yet in a new project.
resource "google_artifact_registry_repository_iam_member" "functions_agent" {
  project    = var.project
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.reader"
  member = join("@", [
    "serviceAccount:service-${var.project_number}",
    "gcf-admin-robot.iam.gserviceaccount.com",
  ])
}

# Logs have no IAM policy below the project.
resource "google_project_iam_member" "log_writer" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

# Cloud Functions copies the archive to a bucket of its own, and builds from
# there. It creates that bucket with the first function, so the grant cannot be
# on the bucket.
resource "google_project_iam_member" "source_viewer" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member

  condition {
    title = "only-function-sources"
    description = join(" ", [
      "Narrow the role to the bucket",
      "that Cloud Functions builds from.",
    ])
    expression = "resource.name.startsWith(\"${local.function_sources}\")"
  }
}

resource "time_sleep" "grants" {
  create_duration = "${var.propagation_seconds}s"

  depends_on = [
    google_artifact_registry_repository_iam_member.functions_agent,
    google_artifact_registry_repository_iam_member.writer,
    google_project_iam_member.log_writer,
    google_project_iam_member.source_viewer,
  ]
}
