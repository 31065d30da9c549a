resource "google_service_account" "registrar" {
  project      = var.project
  account_id   = "${var.name}-registrar"
  display_name = "${var.name}: registers the webhook"
}

resource "google_service_account" "schedules" {
  project      = var.project
  account_id   = "${var.name}-schedules"
  display_name = "${var.name}: Cloud Scheduler's identity at the registrar"
}

# Firestore has no IAM policy per database, so the role is on the project, with
# a condition.
resource "google_project_iam_member" "ledger" {
  project = var.project
  role    = "roles/datastore.user"
  member  = google_service_account.registrar.member

  condition {
    title       = var.database_condition.title
    description = var.database_condition.description
    expression  = var.database_condition.expression
  }
}

resource "google_secret_manager_secret_iam_member" "gemini_api_key" {
  secret_id = var.gemini_api_key.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.registrar.member
}

resource "google_secret_manager_secret_iam_member" "signing_secret" {
  secret_id = var.signing_secret
  role      = var.signing_secret_role
  member    = google_service_account.registrar.member
}

# A revision that may not access the secrets in its environment does not start.
resource "time_sleep" "rights" {
  create_duration = "${var.propagation_seconds}s"

  depends_on = [
    google_project_iam_member.ledger,
    google_secret_manager_secret_iam_member.gemini_api_key,
    google_secret_manager_secret_iam_member.signing_secret,
  ]
}
