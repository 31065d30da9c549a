module "function" {
  source          = "../function"
  project         = var.project
  region          = var.region
  name            = "${var.name}-receiver"
  build           = var.build
  description     = "Verifies Gemini's deliveries and publishes them to the ingress topic."
  entry_point     = "receive"
  environment     = local.environment
  internal        = false
  invokers        = { public = "allUsers" }
  kms_key         = var.kms_key
  labels          = var.labels
  runtime         = var.runtime
  service_account = google_service_account.receiver.email
  size            = var.size
  depends_on = [
    google_pubsub_topic_iam_member.ingress,
    google_secret_manager_secret_iam_member.signing_secret,
  ]
}

locals {
  # What is not set is left to the function's own defaults.
  environment = {
    for key, value in {
      INGRESS_TOPIC               = var.ingress_topic
      JWKS_URI                    = var.verification.jwks_uri
      JWT_AUDIENCE                = length(var.verification.jwt_audiences) > 0 ? join(",", var.verification.jwt_audiences) : null
      MAX_BODY_BYTES              = tostring(var.verification.max_body_bytes)
      SCHEMES                     = var.verification.schemes == null ? null : join(",", var.verification.schemes)
      SIGNING_SECRET              = var.signing_secret
      TIMESTAMP_TOLERANCE_SECONDS = tostring(var.verification.timestamp_tolerance_seconds)
    } : key => value if value != null
  }
}
