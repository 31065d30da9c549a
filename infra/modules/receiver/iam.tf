resource "google_service_account" "receiver" {
  project      = var.project
  account_id   = "${var.name}-receiver"
  display_name = "${var.name}: receives deliveries"
}

resource "google_pubsub_topic_iam_member" "ingress" {
  topic  = var.ingress_topic
  role   = "roles/pubsub.publisher"
  member = google_service_account.receiver.member
}

# To find the newest version it has to list them, which secretAccessor cannot.
resource "google_secret_manager_secret_iam_member" "signing_secret" {
  for_each = toset([
    "roles/secretmanager.secretAccessor",
    "roles/secretmanager.viewer",
  ])
  secret_id = var.signing_secret
  role      = each.key
  member    = google_service_account.receiver.member
}

moved {
  from = google_secret_manager_secret_iam_member.signing_secret
  to = google_secret_manager_secret_iam_member.signing_secret[
    "roles/secretmanager.secretAccessor"
  ]
}
