locals {
  database  = google_firestore_database.jobs.name
  full_name = "projects/${var.project}/databases/${local.database}"
  condition = {
    title = "only-${local.database}"
    description = join(" ", [
      "Firestore has no policy per database:",
      "narrow the role to the jobs.",
    ])
    expression = "resource.name == \"${local.full_name}\""
  }
}

# A database of its own: Firestore has no rights per collection, and
# applications that start jobs must not reach the ledger.
resource "google_firestore_database" "jobs" {
  project     = var.project
  name        = var.name
  location_id = var.location
  type        = "FIRESTORE_NATIVE"
  point_in_time_recovery_enablement = (
    var.point_in_time_recovery
    ? "POINT_IN_TIME_RECOVERY_ENABLED"
    : "POINT_IN_TIME_RECOVERY_DISABLED"
  )
  delete_protection_state = (
    var.delete_protection
    ? "DELETE_PROTECTION_ENABLED"
    : "DELETE_PROTECTION_DISABLED"
  )

  # As for the ledger: a refused deletion would stop a destroy half way.
  deletion_policy = var.delete_protection ? "ABANDON" : "DELETE"

  dynamic "cmek_config" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = cmek_config.value
    }
  }

  # As for the ledger: a change would replace the database.
  lifecycle {
    ignore_changes = [cmek_config, location_id]
  }
}

check "unchangeable" {
  assert {
    condition = alltrue([
      google_firestore_database.jobs.location_id == var.location,
      var.kms_key == try(
        google_firestore_database.jobs.cmek_config[0].kms_key_name,
        null,
      ),
    ])
    error_message = join(" ", [
      "The database ${local.database} keeps the location and the key that it",
      "was created with, not those that are given now. Give the old ones",
      "again, or choose another name for a deployment with the new ones.",
    ])
  }
}
