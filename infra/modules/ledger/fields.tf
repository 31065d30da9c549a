# Firestore limits an index on a value that grows with time to 500 writes per
# second, so the times of a delivery have no single-field index. A destroy
# leaves these settings to the database: they are deleted with it, and in a
# database that is left behind they still expire documents.

resource "google_firestore_field" "expire_at" {
  project         = var.project
  database        = google_firestore_database.ledger.name
  collection      = "deliveries"
  field           = "expire_at"
  deletion_policy = "ABANDON"

  index_config {}

  ttl_config {}
}

resource "google_firestore_field" "unindexed" {
  for_each        = toset(["lease_until", "received_at"])
  project         = var.project
  database        = google_firestore_database.ledger.name
  collection      = "deliveries"
  field           = each.key
  deletion_policy = "ABANDON"

  index_config {}
}
