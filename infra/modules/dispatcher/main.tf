locals {
  function = "${var.name}-dispatcher"
  # A function cannot refer to its own address. Of its two addresses this one is
  # known before the function exists, and Cloud Run accepts both as audiences.
  audience = join("", [
    "https://${local.function}-${var.project_number}",
    ".${var.region}.run.app",
  ])
}

module "function" {
  source      = "../function"
  project     = var.project
  region      = var.region
  name        = local.function
  build       = var.build
  description = "Claims each delivery in the ledger and fans it out."
  entry_point = "dispatch"
  environment = merge(
    {
      DEAD_LETTER_TOPIC    = var.dead_letter_topic
      DEDUP_RETENTION_DAYS = tostring(var.dedup_retention_days)
      EVENTS_TOPIC         = var.events_topic
      FIRESTORE_DATABASE   = var.database
      LEASE_SECONDS        = "120"
      OIDC_AUDIENCE        = local.audience
      OIDC_EMAILS          = google_service_account.push.email
      ROUTES               = jsonencode(var.routes)
    },
    var.jobs == null ? {} : { JOBS_DATABASE = var.jobs.database },
  )
  internal        = true
  invokers        = { push = google_service_account.push.member }
  kms_key         = var.kms_key
  labels          = var.labels
  runtime         = var.runtime
  service_account = google_service_account.dispatcher.email
  size            = var.size
  timeout_seconds = 60
  depends_on = [
    google_project_iam_member.jobs,
    google_project_iam_member.ledger,
    google_pubsub_topic_iam_member.publisher,
  ]
}
