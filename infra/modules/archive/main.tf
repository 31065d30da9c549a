resource "google_storage_bucket" "archive" {
  project                     = var.project
  name                        = "${var.project}-${var.name}-archive"
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

resource "google_storage_bucket_iam_member" "agent" {
  for_each = toset([
    "roles/storage.legacyBucketReader",
    "roles/storage.objectCreator",
  ])
  bucket = google_storage_bucket.archive.name
  role   = each.key
  member = var.pubsub_agent
}

# Pub/Sub refuses a subscription whose target it may not write to.
resource "time_sleep" "grants" {
  create_duration = "${var.propagation_seconds}s"
  depends_on      = [google_storage_bucket_iam_member.agent]
}

resource "google_pubsub_subscription" "archive" {
  for_each = var.topics
  project  = var.project
  name     = "${var.name}-archive-${each.key}"
  topic    = each.value
  # Pub/Sub refuses a deadline that is shorter than a file stays open.
  ack_deadline_seconds       = max(60, var.file_seconds)
  labels                     = var.labels
  message_retention_duration = "2678400s"

  cloud_storage_config {
    bucket          = google_storage_bucket.archive.name
    filename_prefix = "${each.key}/"
    filename_suffix = ".avro"
    max_duration    = "${var.file_seconds}s"

    avro_config {
      write_metadata = true
    }
  }

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  depends_on = [time_sleep.grants]
}
