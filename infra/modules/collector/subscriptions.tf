locals {
  # A filter cannot be changed in place. With its digest in the name, the new
  # subscription is created before the old one is deleted.
  subscription = join("-", [
    "${var.name}-collect",
    substr(sha256(jsonencode([var.events_topic, var.filter])), 0, 8),
  ])
}

# Without a dead-letter policy: a hundred attempts, the most that one allows,
# end after fifteen hours, and a result is tried for 48. The collector itself
# sends what cannot be fetched, or not within that time, to the dead letters.
resource "google_pubsub_subscription" "collect" {
  project                    = var.project
  name                       = local.subscription
  topic                      = var.events_topic
  ack_deadline_seconds       = 600
  filter                     = var.filter
  labels                     = var.labels
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = ""
  }

  push_config {
    # Pub/Sub sets this by itself, and every plan would remove it again.
    attributes = { x-goog-version = "v1" }
    # Internal ingress admits Pub/Sub only at the service's run.app address.
    push_endpoint = module.function.uri

    oidc_token {
      audience              = local.audience
      service_account_email = google_service_account.push.email
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  lifecycle {
    create_before_destroy = true
  }
}
