# These times belong together. The dispatcher works for at most 45 s, its
# function is cut off at 60 s, Pub/Sub waits 90 s for the answer, and a claim
# outlives all of them at 120 s. A hundred attempts, 10 s to 600 s apart, span
# about fifteen hours: five would give everything up in an outage of minutes.
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
    # What Pub/Sub fills in by itself, and every plan would take away again.
    attributes = { x-goog-version = "v1" }
    # Internal ingress lets Pub/Sub in by the service's run.app address alone.
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
