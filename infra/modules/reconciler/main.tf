locals {
  function = "${var.name}-reconciler"
  # A function cannot refer to its own address. Of its two addresses this one is
  # known before the function exists, and Cloud Run accepts both as audiences.
  audience = join("", [
    "https://${local.function}-${var.project_number}",
    ".${var.region}.run.app",
  ])
  # These times depend on each other. No look begins after the budget, and one
  # takes at most 30 s. The function is cut off before the lease ends, so that
  # no two runs work at once, and Cloud Scheduler waits until then.
  lease_seconds   = var.budget_seconds + 60
  timeout_seconds = var.budget_seconds + 50
}

module "function" {
  source      = "../function"
  project     = var.project
  region      = var.region
  name        = local.function
  build       = var.build
  description = "Announces the end of jobs whose webhook never came."
  entry_point = "reconcile"
  environment = merge(
    {
      ADOPT              = var.adopt
      BUDGET_SECONDS     = tostring(var.budget_seconds)
      FIRESTORE_DATABASE = var.database
      GIVE_UP_HOURS      = tostring(var.give_up_hours)
      INGRESS_TOPIC      = var.ingress_topic
      JOBS_DATABASE      = var.jobs.database
      LEASE_SECONDS      = tostring(local.lease_seconds)
      OIDC_AUDIENCE      = local.audience
      OIDC_EMAILS        = google_service_account.schedule.email
      PER_SECOND         = tostring(var.per_second)
    },
    var.gemini_base_url == null ? {} : {
      GOOGLE_GEMINI_BASE_URL = var.gemini_base_url
    },
  )
  internal            = true
  invokers            = { schedule = google_service_account.schedule.member }
  kms_key             = var.kms_key
  labels              = var.labels
  propagation_seconds = var.propagation_seconds
  runtime             = var.runtime
  secret_environment = {
    GEMINI_API_KEY = {
      secret_id = var.gemini_api_key.secret_id
      version   = var.gemini_api_key.version
    }
  }
  service_account = google_service_account.reconciler.email
  size            = var.size
  timeout_seconds = local.timeout_seconds
  depends_on = [
    google_project_iam_member.jobs,
    google_project_iam_member.ledger,
    google_pubsub_topic_iam_member.ingress,
    google_secret_manager_secret_iam_member.gemini_api_key,
  ]
}
