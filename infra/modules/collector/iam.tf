resource "google_service_account" "collector" {
  project      = var.project
  account_id   = "${var.name}-collector"
  display_name = "${var.name}: copies results into a bucket"
}

resource "google_service_account" "push" {
  project      = var.project
  account_id   = "${var.name}-jobs-push"
  display_name = "${var.name}: Pub/Sub's identity at the collector"
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = {
    dead-letter = var.dead_letter_topic
    ingress     = var.ingress_topic
  }
  topic  = each.value
  role   = "roles/pubsub.publisher"
  member = google_service_account.collector.member
}

resource "google_secret_manager_secret_iam_member" "gemini_api_key" {
  secret_id = var.gemini_api_key.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.collector.member
}

# To create objects is neither to read, nor to replace, nor to delete one.
resource "google_storage_bucket_iam_member" "creator" {
  count  = var.bucket == null || var.grant ? 1 : 0
  bucket = local.bucket
  role   = "roles/storage.objectCreator"
  member = google_service_account.collector.member
}
