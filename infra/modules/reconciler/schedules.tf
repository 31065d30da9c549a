resource "google_cloud_scheduler_job" "reconcile" {
  project          = var.project
  region           = var.region
  name             = "${var.name}-reconcile"
  description      = "Has the reconciler look at the jobs that are due."
  schedule         = "*/15 * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "${local.lease_seconds}s"

  http_target {
    http_method = "POST"
    # Internal ingress admits Cloud Scheduler only at the service's run.app
    # address.
    uri = module.function.uri

    oidc_token {
      audience              = local.audience
      service_account_email = google_service_account.schedule.email
    }
  }

  # The next run is the retry.
  retry_config {
    retry_count = 0
  }

  depends_on = [module.function]
}
