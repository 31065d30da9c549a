resource "google_service_account" "dispatcher" {
  project      = var.project
  account_id   = "${var.name}-dispatcher"
  display_name = "${var.name}: dispatches events"
}

resource "google_service_account" "push" {
  project      = var.project
  account_id   = "${var.name}-push"
  display_name = "${var.name}: Pub/Sub's identity at the dispatcher"
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = merge(
    { dead-letter = var.dead_letter_topic, events = var.events_topic },
    { for route in var.routes : "route ${route.name}" => route.topic },
  )
  topic  = each.value
  role   = "roles/pubsub.publisher"
  member = google_service_account.dispatcher.member
}

# Firestore has no IAM policy per database, so the role is on the project, with
# a condition.
resource "google_project_iam_member" "ledger" {
  project = var.project
  role    = "roles/datastore.user"
  member  = google_service_account.dispatcher.member

  condition {
    title       = var.database_condition.title
    description = var.database_condition.description
    expression  = var.database_condition.expression
  }
}

resource "google_project_iam_member" "jobs" {
  count   = var.jobs == null ? 0 : 1
  project = var.project
  role    = "roles/datastore.user"
  member  = google_service_account.dispatcher.member

  condition {
    title       = var.jobs.condition.title
    description = var.jobs.condition.description
    expression  = var.jobs.condition.expression
  }
}

# To move a message to the dead letters, Pub/Sub acknowledges it on the
# subscription as its own service agent.
resource "google_pubsub_subscription_iam_member" "agent" {
  project      = var.project
  subscription = google_pubsub_subscription.dispatch.name
  role         = "roles/pubsub.subscriber"
  member       = var.pubsub_agent
}
