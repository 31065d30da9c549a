locals {
  grants_bigquery = try(var.bigquery.grant, false)
  grants_storage  = try(var.storage.grant, false)
}

resource "google_service_account" "push" {
  count        = try(var.push.service_account, "given") == null ? 1 : 0
  project      = var.project
  account_id   = local.account_id
  display_name = "${var.name}: Pub/Sub's identity at the subscriber"
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  count    = try(var.push.cloud_run_service, null) == null ? 0 : 1
  project  = coalesce(var.push.cloud_run_service.project, var.project)
  location = var.push.cloud_run_service.location
  name     = var.push.cloud_run_service.name
  role     = "roles/run.invoker"
  member   = "serviceAccount:${local.identity}"
}

resource "google_pubsub_subscription_iam_member" "consumers" {
  for_each     = toset(try(var.pull.consumers, []))
  project      = var.project
  subscription = google_pubsub_subscription.subscription.name
  role         = "roles/pubsub.subscriber"
  member       = each.key
}

# To move a message to the dead letters, Pub/Sub acknowledges it on the
# subscription as its own service agent.
resource "google_pubsub_subscription_iam_member" "agent" {
  count        = var.dead_letter == null ? 0 : 1
  project      = var.project
  subscription = google_pubsub_subscription.subscription.name
  role         = "roles/pubsub.subscriber"
  member       = var.pubsub_agent
}

resource "google_bigquery_table_iam_member" "agent" {
  count      = local.grants_bigquery ? 1 : 0
  project    = split(".", var.bigquery.table)[0]
  dataset_id = split(".", var.bigquery.table)[1]
  table_id   = split(".", var.bigquery.table)[2]
  role       = "roles/bigquery.dataEditor"
  member     = var.pubsub_agent
}

resource "google_storage_bucket_iam_member" "agent" {
  for_each = toset(local.grants_storage ? [
    "roles/storage.legacyBucketReader",
    "roles/storage.objectCreator",
  ] : [])
  bucket = var.storage.bucket
  role   = each.key
  member = var.pubsub_agent
}

# Pub/Sub refuses a subscription whose target it may not write to.
resource "time_sleep" "grants" {
  count           = local.grants_bigquery || local.grants_storage ? 1 : 0
  create_duration = "${var.propagation_seconds}s"

  depends_on = [
    google_bigquery_table_iam_member.agent,
    google_storage_bucket_iam_member.agent,
  ]
}
