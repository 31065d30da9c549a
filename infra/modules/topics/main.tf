resource "google_pubsub_topic" "topics" {
  for_each                   = var.topics
  project                    = var.project
  name                       = "${var.name}-${each.key}"
  kms_key_name               = var.kms_key
  labels                     = var.labels
  message_retention_duration = each.value.retention

  dynamic "message_storage_policy" {
    for_each = length(var.message_storage_regions) > 0 ? [""] : []
    content {
      allowed_persistence_regions = var.message_storage_regions
    }
  }
}
