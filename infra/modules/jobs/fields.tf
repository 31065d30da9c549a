# As in the ledger, what grows with time has no single-field index, which would
# limit it to 500 writes per second. `announced` holds times too; `metadata` is
# the application's, and nothing is looked up by it.

resource "google_firestore_field" "expire_at" {
  project         = var.project
  database        = google_firestore_database.jobs.name
  collection      = "jobs"
  field           = "expire_at"
  deletion_policy = "ABANDON"

  index_config {}

  ttl_config {}
}

resource "google_firestore_field" "unindexed" {
  for_each = toset([
    "announced",
    "check_at",
    "created_at",
    "deadline",
    "ended_at",
    "metadata",
    "overdue_at",
    "started_at",
  ])
  project         = var.project
  database        = google_firestore_database.jobs.name
  collection      = "jobs"
  field           = each.key
  deletion_policy = "ABANDON"

  index_config {}
}
