resource "google_service_account" "reconciler" {
  project      = var.project
  account_id   = "${var.name}-reconciler"
  display_name = "${var.name}: announces what Gemini did not"
}

resource "google_service_account" "schedule" {
  project      = var.project
  account_id   = "${var.name}-jobs-cron"
  display_name = "${var.name}: Cloud Scheduler's identity at the reconciler"
}

# Firestore has no IAM policy per database, so both roles are on the project,
# each with a condition.
resource "google_project_iam_member" "jobs" {
  project = var.project
  role    = "roles/datastore.user"
  member  = google_service_account.reconciler.member

  condition {
    title       = var.jobs.condition.title
    description = var.jobs.condition.description
    expression  = var.jobs.condition.expression
  }
}

resource "google_project_iam_member" "ledger" {
  project = var.project
  role    = "roles/datastore.viewer"
  member  = google_service_account.reconciler.member

  condition {
    title       = var.database_condition.title
    description = var.database_condition.description
    expression  = var.database_condition.expression
  }
}

resource "google_pubsub_topic_iam_member" "ingress" {
  topic  = var.ingress_topic
  role   = "roles/pubsub.publisher"
  member = google_service_account.reconciler.member
}

resource "google_secret_manager_secret_iam_member" "gemini_api_key" {
  secret_id = var.gemini_api_key.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.reconciler.member
}
