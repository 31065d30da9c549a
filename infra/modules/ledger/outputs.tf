output "condition" {
  description = "IAM condition that narrows a project's Firestore role to this database, which has no policy of its own."
  value = {
    title       = "only-${google_firestore_database.ledger.name}"
    description = "Firestore has no policy per database: narrow the role to the ledger."
    expression  = "resource.name == \"projects/${var.project}/databases/${google_firestore_database.ledger.name}\""
  }
}

output "database" {
  description = "Database id."
  value       = google_firestore_database.ledger.name
}
