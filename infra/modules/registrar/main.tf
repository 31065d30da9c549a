locals {
  # Whose calls may change the webhook, by the e-mail in their identity token; a
  # group has none there.
  writers = distinct(concat(
    [google_service_account.schedules.email],
    [
      for member in concat(compact([var.deployer]), var.operators) :
      split(":", member)[1]
      if can(regex("^(user|serviceAccount):", member))
    ],
  ))
  function = "${var.name}-registrar"
  # A function cannot refer to its own address. Of its two addresses this one is
  # known before the function exists, and Cloud Run accepts both as audiences.
  audience = join("", [
    "https://${local.function}-${var.project_number}",
    ".${var.region}.run.app",
  ])
  # Changes with everything that Gemini is told, and with each deployment:
  # after a destroy and a new apply, the registrar must not take its work for
  # done. All of it is known in a plan, because the provider drops a function's
  # whole planned environment if one value of it is unknown.
  generation = substr(sha256(jsonencode([
    terraform_data.deployment.id,
    var.gemini_api_key_version,
    var.registered,
    var.webhook,
  ])), 0, 16)
}

resource "terraform_data" "deployment" {}

module "function" {
  source      = "../function"
  project     = var.project
  region      = var.region
  name        = local.function
  build       = var.build
  description = "Keeps the webhook at Gemini as it should be."
  entry_point = "registrar"
  environment = merge(
    {
      FIRESTORE_DATABASE = var.database
      GENERATION         = local.generation
      OIDC_AUDIENCE      = local.audience
      SIGNING_SECRET     = var.signing_secret
      WEBHOOK_EVENTS     = join(",", var.webhook.events)
      WEBHOOK_NAME       = var.webhook.name
      WEBHOOK_STATE      = var.registered ? "present" : "absent"
      WEBHOOK_URI        = var.webhook.uri
      WRITERS            = join(",", local.writers)
    },
    var.gemini_base_url == null ? {} : {
      GOOGLE_GEMINI_BASE_URL = var.gemini_base_url
    },
  )
  internal = false
  # People by their name: two grants to one of them would be one at Google,
  # which goes as soon as either is taken away.
  invokers = merge(
    { schedules = google_service_account.schedules.member },
    {
      for member in setunion(compact([var.deployer]), var.operators) :
      member => member
    },
    var.wait ? { wait = google_service_account.wait[0].member } : {},
  )
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
  service_account = google_service_account.registrar.email
  size            = var.size
  timeout_seconds = 120
  depends_on = [
    google_project_iam_member.ledger,
    google_secret_manager_secret_iam_member.gemini_api_key,
    google_secret_manager_secret_iam_member.signing_secret,
  ]
}
