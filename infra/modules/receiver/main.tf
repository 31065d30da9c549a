module "function" {
  source  = "../function"
  project = var.project
  region  = var.region
  name    = "${var.name}-receiver"
  build   = var.build
  description = join(" ", [
    "Verifies Gemini's deliveries and",
    "publishes them to the ingress topic.",
  ])
  entry_point     = "receive"
  environment     = local.environment
  internal        = false
  invokers        = var.public ? { public = "allUsers" } : {}
  kms_key         = var.kms_key
  labels          = var.labels
  load_balanced   = var.load_balanced
  runtime         = var.runtime
  service_account = google_service_account.receiver.email
  size            = var.size
  depends_on = [
    google_pubsub_topic_iam_member.ingress,
    google_secret_manager_secret_iam_member.signing_secret,
  ]
}

locals {
  accepted = var.verification
  memory_mib = (
    tonumber(regex("^[0-9]+", var.size.memory)) *
    (endswith(var.size.memory, "Gi") ? 1024 : 1)
  )
  # A variable without a value is left out: the function has its own default.
  environment = {
    for key, value in {
      INGRESS_TOPIC = var.ingress_topic
      JWKS_URI      = local.accepted.jwks_uri
      JWT_AUDIENCE = (
        length(local.accepted.jwt_audiences) > 0
        ? join(",", local.accepted.jwt_audiences)
        : null
      )
      CONCURRENCY    = tostring(var.size.concurrency)
      MEMORY_MIB     = tostring(local.memory_mib)
      MAX_BODY_BYTES = tostring(local.accepted.max_body_bytes)
      SCHEMES        = join(",", local.accepted.schemes)
      SIGNING_SECRET = var.signing_secret
      TIMESTAMP_TOLERANCE_SECONDS = tostring(
        local.accepted.timestamp_tolerance_seconds
      )
    } : key => value if value != null
  }
}
