locals {
  database  = google_firestore_database.ledger.name
  full_name = "projects/${var.project}/databases/${local.database}"
}

resource "google_firestore_database" "ledger" {
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

  # A refused deletion would stop a destroy half way, with the webhook already
  # removed. So a destroy leaves a protected database behind.
  deletion_policy = var.delete_protection ? "ABANDON" : "DELETE"

  dynamic "cmek_config" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = cmek_config.value
    }
  }

  # A database keeps both for ever: a change would replace it, and lose what it
  # holds or, if it is protected, fail because it exists.
  lifecycle {
    ignore_changes = [cmek_config, location_id]
  }
}

check "unchangeable" {
  assert {
    condition = alltrue([
      google_firestore_database.ledger.location_id == var.location,
      var.kms_key == try(
        google_firestore_database.ledger.cmek_config[0].kms_key_name,
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
