resource "google_pubsub_topic" "dead_letter" {
  project      = var.project
  name         = var.name
  kms_key_name = var.kms_key
  labels       = var.labels

  dynamic "message_storage_policy" {
    for_each = length(var.message_storage_regions) > 0 ? [""] : []
    content {
      allowed_persistence_regions = var.message_storage_regions
    }
  }
}

# Without a subscription a dead letter would be lost at once. So this one
# exists from the start, keeps messages as long as Pub/Sub can, and does not
# expire when nobody reads from it.
resource "google_pubsub_subscription" "dead_letter" {
  project                    = var.project
  name                       = var.name
  topic                      = google_pubsub_topic.dead_letter.id
  ack_deadline_seconds       = 60
  labels                     = var.labels
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub publishes dead letters as its own service agent, which does not hold
# this right by default.
resource "google_pubsub_topic_iam_member" "agent" {
  project = var.project
  topic   = google_pubsub_topic.dead_letter.name
  role    = "roles/pubsub.publisher"
  member  = var.pubsub_agent
}
