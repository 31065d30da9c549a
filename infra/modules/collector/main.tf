locals {
  function = "${var.name}-collector"
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
  description = "Copies the results of jobs into a bucket."
  entry_point = "collect"
  environment = merge(
    {
      BUCKET            = local.bucket
      DEAD_LETTER_TOPIC = var.dead_letter_topic
      INGRESS_TOPIC     = var.ingress_topic
      OIDC_AUDIENCE     = local.audience
      OIDC_EMAILS       = google_service_account.push.email
    },
    var.gemini_base_url == null ? {} : {
      GOOGLE_GEMINI_BASE_URL = var.gemini_base_url
    },
  )
  internal            = true
  invokers            = { push = google_service_account.push.member }
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
  service_account = google_service_account.collector.email
  size            = var.size
  # The collector works for 540 s at most, and Pub/Sub waits 600 s at most.
  timeout_seconds = 570
  depends_on = [
    google_pubsub_topic_iam_member.publisher,
    google_secret_manager_secret_iam_member.gemini_api_key,
    google_storage_bucket_iam_member.creator,
  ]
}
