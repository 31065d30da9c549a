# Firestore caps an index over a value that grows with time at 500 writes per
# second, so the times of a delivery carry no index of their own. The settings
# stay with the database: they go when it goes, and expire what it holds where it
# is left behind.

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
