# Lists each shard newest first; readers merge the shards.
resource "google_firestore_index" "newest_first" {
  project    = var.project
  database   = google_firestore_database.ledger.name
  collection = "deliveries"

  fields {
    field_path = "shard"
    order      = "ASCENDING"
  }

  fields {
    field_path = "received_at"
    order      = "DESCENDING"
  }
}
