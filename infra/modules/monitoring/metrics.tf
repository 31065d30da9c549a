# Cloud Run's own metric, request_count, leaves out what never reached an
# instance: 429 when none is free, and 403 for a caller without the invoker's
# right. Its request log has both.

locals {
  unreached = {
    forbidden = 403
    saturated = 429
  }
}

resource "google_logging_metric" "unreached" {
  for_each    = var.alerts.enabled ? local.unreached : {}
  project     = var.project
  name        = "${var.name}-${each.key}"
  description = "Requests to the functions that were answered ${each.value}."
  filter = join(" AND ", [
    "logName = \"projects/${var.project}/logs/run.googleapis.com%2Frequests\"",
    "resource.type = \"cloud_run_revision\"",
    "resource.labels.location = \"${var.region}\"",
    "resource.labels.service_name = (${local.any_service})",
    "httpRequest.status = ${each.value}",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    unit        = "1"
    value_type  = "INT64"
  }
}

# Each run of the schedule is logged with the registrar's answer.
resource "google_logging_metric" "converged" {
  count       = local.count
  project     = var.project
  name        = "${var.name}-converged"
  description = "Runs of the registrar's schedule that succeeded."
  filter = join(" AND ", [
    "resource.type = \"cloud_scheduler_job\"",
    "resource.labels.location = \"${var.region}\"",
    "resource.labels.job_id = \"${var.converge_job}\"",
    "httpRequest.status = 200",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    unit        = "1"
    value_type  = "INT64"
  }
}

# For some time after its creation an alert that refers to it is refused with
# "Cannot find metric that matches type".
resource "time_sleep" "metrics" {
  count           = local.count
  create_duration = "${var.propagation_seconds}s"
  triggers = merge(
    { converged = google_logging_metric.converged[0].name },
    {
      for key, metric in google_logging_metric.unreached : key => metric.name
    },
  )
}

locals {
  logged = {
    for key, name in try(time_sleep.metrics[0].triggers, {}) :
    key => "metric.type = \"logging.googleapis.com/user/${name}\""
  }
}
