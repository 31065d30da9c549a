resource "google_cloud_scheduler_job" "converge" {
  project          = var.project
  region           = var.region
  name             = "${var.name}-converge"
  description      = "Makes the webhook as it should be, and heals it."
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "90s"

  http_target {
    http_method = "POST"
    uri         = "${module.function.uri}/converge"

    oidc_token {
      audience              = local.audience
      service_account_email = google_service_account.schedules.email
    }
  }

  # The next run, a minute later, is the retry.
  retry_config {
    retry_count = 0
  }

  # On destroy the schedules go first, so that none runs during the removal.
  depends_on = [module.function, terraform_data.removal]
}

# The schedule asks every day, and the registrar rotates a signing secret that
# is old enough: cron cannot count days across months. A repeated call rotates
# nothing, and a missed one is made up for the next day.
resource "google_cloud_scheduler_job" "rotate" {
  count   = var.rotation.days == null ? 0 : 1
  project = var.project
  region  = var.region
  name    = "${var.name}-rotate"
  description = join(" ", [
    "Rotates the signing secret once it is",
    "${var.rotation.days} days old.",
  ])
  schedule         = var.rotation.schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "90s"

  http_target {
    http_method = "POST"
    uri         = "${module.function.uri}/rotate"
    headers     = { "Content-Type" = "application/json" }
    body = base64encode(jsonencode({
      if_older_than_seconds = var.rotation.days * 86400
      revocation_behavior   = var.rotation.revocation_behavior
    }))

    oidc_token {
      audience              = local.audience
      service_account_email = google_service_account.schedules.email
    }
  }

  retry_config {
    max_backoff_duration = "600s"
    min_backoff_duration = "30s"
    retry_count          = 3
  }

  depends_on = [module.function, terraform_data.removal]
}
