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

# For some time after its creation an alert that refers to it is refused with
# "Cannot find metric that matches type".
resource "time_sleep" "metrics" {
  count           = local.count
  create_duration = "${var.propagation_seconds}s"
  triggers = {
    for key, metric in google_logging_metric.unreached : key => metric.name
  }
}

locals {
  unreached_filters = {
    for key, name in try(time_sleep.metrics[0].triggers, {}) :
    key => join(" AND ", [
      local.service_filter,
      "metric.type = \"logging.googleapis.com/user/${name}\"",
    ])
  }
}
