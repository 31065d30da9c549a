locals {
  bucket = (
    var.bucket == null ? google_storage_bucket.results[0].name : var.bucket
  )
}

resource "google_storage_bucket" "results" {
  count                       = var.bucket == null ? 1 : 0
  project                     = var.project
  name                        = "${var.project}-${var.name}-results"
  location                    = var.location
  force_destroy               = var.force_destroy
  labels                      = var.labels
  public_access_prevention    = "enforced"
  uniform_bucket_level_access = true

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.delete_after_days == null ? [] : [var.delete_after_days]
    content {
      action {
        type = "Delete"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }
}
