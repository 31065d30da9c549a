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

# A dead letter that no subscription holds is gone at once, so this one exists
# from the start, keeps what it gets as long as Pub/Sub can, and never expires
# for want of a reader.
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

# Pub/Sub moves a message here as its own service agent, which no service
# grants that right to.
resource "google_pubsub_topic_iam_member" "agent" {
  project = var.project
  topic   = google_pubsub_topic.dead_letter.name
  role    = "roles/pubsub.publisher"
  member  = var.pubsub_agent
}
