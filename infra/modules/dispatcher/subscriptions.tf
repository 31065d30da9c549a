# These times depend on each other. The dispatcher works for at most 45 s, its
# function is cut off at 60 s, Pub/Sub waits 90 s for the answer, and a lease
# lasts longer than all of them, 120 s. A hundred attempts, 10 s to 600 s apart,
# span about fifteen hours: with five, an outage of minutes would turn every
# event into a dead letter.
resource "google_pubsub_subscription" "dispatch" {
  project                    = var.project
  name                       = "${var.name}-dispatch"
  topic                      = var.ingress_topic
  ack_deadline_seconds       = 90
  labels                     = var.labels
  message_retention_duration = "2678400s"

  dead_letter_policy {
    dead_letter_topic     = var.dead_letter_topic
    max_delivery_attempts = 100
  }

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
}
