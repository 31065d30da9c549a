# Each of these is read shard by shard; readers merge the shards.

# The reconciler's: the jobs that are due, those first that have been due for
# longest.
resource "google_firestore_index" "due" {
  project    = var.project
  database   = google_firestore_database.jobs.name
  collection = "jobs"

  fields {
    field_path = "shard"
    order      = "ASCENDING"
  }

  fields {
    field_path = "check_at"
    order      = "ASCENDING"
  }
}

# The applications': the newest jobs first.
resource "google_firestore_index" "newest_first" {
  project    = var.project
  database   = google_firestore_database.jobs.name
  collection = "jobs"

  fields {
    field_path = "shard"
    order      = "ASCENDING"
  }

  fields {
    field_path = "created_at"
    order      = "DESCENDING"
  }
}
