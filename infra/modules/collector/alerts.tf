resource "google_monitoring_alert_policy" "key_refused" {
  count                 = var.alerts.enabled ? 1 : 0
  project               = var.project
  display_name          = "${var.name}: the collector's API key is refused"
  combiner              = "OR"
  notification_channels = var.alerts.channels
  severity              = "CRITICAL"

  alert_strategy {
    auto_close = "86400s"

    notification_rate_limit {
      period = "3600s"
    }
  }

  conditions {
    display_name = "Gemini refused the collector's API key"

    condition_matched_log {
      filter = join(" AND ", [
        "resource.type = \"cloud_run_revision\"",
        "resource.labels.service_name = \"${local.function}\"",
        "jsonPayload.message = \"key refused\"",
      ])
    }
  }

  documentation {
    content = join(" ", [
      "No result can be fetched, and Gemini keeps a file for 48 hours. Create",
      "a key and apply with the next `gemini_api_key_version`. This cannot see",
      "a key that is out of quota, nor results that are waiting: those are",
      "\"events are waiting\".",
    ])
  }
}
