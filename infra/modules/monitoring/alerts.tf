locals {
  count = var.alerts.enabled ? 1 : 0

  every_service = concat(
    [var.receiver, var.dispatcher, var.registrar],
    var.further_services,
  )
  services = join(", ", [
    for name in local.every_service : jsonencode(name)
  ])
  any_service = join(" OR ", [
    for name in local.every_service : jsonencode(name)
  ])
  dead_letters = join(", ", [
    for name in values(var.dead_letter_subscriptions) : jsonencode(name)
  ])
  subscriptions = join(", ", [
    for name in values(var.subscriptions) : jsonencode(name)
  ])

  dead_letter_filter = join(" AND ", [
    "resource.type = \"pubsub_subscription\"",
    "resource.labels.subscription_id = one_of(${local.dead_letters})",
  ])
  subscription_filter = join(" AND ", [
    "resource.type = \"pubsub_subscription\"",
    "resource.labels.subscription_id = one_of(${local.subscriptions})",
  ])
  service_filter = join(" AND ", [
    "resource.type = \"cloud_run_revision\"",
    "resource.labels.location = \"${var.region}\"",
    "resource.labels.service_name = one_of(${local.services})",
  ])
  receiver_filter = join(" AND ", [
    "resource.type = \"cloud_run_revision\"",
    "resource.labels.location = \"${var.region}\"",
    "resource.labels.service_name = \"${var.receiver}\"",
  ])

  requests         = "metric.type = \"run.googleapis.com/request_count\""
  service_requests = "${local.service_filter} AND ${local.requests}"
  deliveries       = "${local.receiver_filter} AND ${local.requests}"

  # An alert on failures looks at the last hour, once a minute: a deployment
  # with a few deliveries an hour has a failure now and then, never one in each
  # of several minutes. Among its requests are 72 health checks.
  hour = "3600s"

  pubsub      = "pubsub.googleapis.com/subscription"
  unacked     = "metric.type = \"${local.pubsub}/num_undelivered_messages\""
  unacked_age = "metric.type = \"${local.pubsub}/oldest_unacked_message_age\""
}

resource "google_monitoring_alert_policy" "dead_letters" {
  count                 = local.count
  project               = var.project
  display_name          = "${var.name}: dead letters"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "ERROR"

  conditions {
    display_name = "A dead-letter subscription holds messages"

    condition_threshold {
      filter          = "${local.dead_letter_filter} AND ${local.unacked}"
      comparison      = "COMPARISON_GT"
      duration        = "0s"
      threshold_value = 0

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = join(" ", [
      "An event could not be delivered and was set aside. `hooks dlq list`",
      "tells which and why; `hooks dlq replay` sends it again once the cause",
      "is fixed. Dead letters are kept for 31 days. This cannot see what a",
      "subscriber without dead letters lost, nor deliveries that never came.",
    ])
  }
}

resource "google_monitoring_alert_policy" "dead_letter_age" {
  count                 = local.count
  project               = var.project
  display_name          = "${var.name}: dead letters about to be lost"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "CRITICAL"

  conditions {
    display_name = join(" ", [
      "A dead letter is older than",
      "${var.alerts.dead_letter_age_days} days",
    ])

    condition_threshold {
      filter          = "${local.dead_letter_filter} AND ${local.unacked_age}"
      comparison      = "COMPARISON_GT"
      duration        = "0s"
      threshold_value = var.alerts.dead_letter_age_days * 86400

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = join(" ", [
      "Pub/Sub drops a message that is 31 days old. Replay it (`hooks dlq",
      "replay`) or delete it (`hooks dlq purge`). This cannot see letters that",
      "are gone already.",
    ])
  }
}

resource "google_monitoring_alert_policy" "backlog" {
  count                 = local.count
  project               = var.project
  display_name          = "${var.name}: events are waiting"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "ERROR"

  conditions {
    display_name = join(" ", [
      "An event has been waiting for",
      "${var.alerts.oldest_unacked_seconds} s",
    ])

    condition_threshold {
      filter          = "${local.subscription_filter} AND ${local.unacked_age}"
      comparison      = "COMPARISON_GT"
      duration        = "60s"
      threshold_value = var.alerts.oldest_unacked_seconds

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = join(" ", [
      "Deliveries are accepted, but a subscription fails or does not keep up.",
      "For the dispatcher's, see its logs; for a subscriber's, ask its owner.",
      "Nothing is lost yet. This cannot see subscriptions that were made",
      "outside this configuration, nor deliveries that the receiver refuses.",
    ])
  }
}

resource "google_monitoring_alert_policy" "errors" {
  count                 = local.count
  project               = var.project
  display_name          = "${var.name}: a function fails"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "ERROR"

  conditions {
    display_name = join(" ", [
      "More than ${var.alerts.error_ratio * 100} %",
      "of a function's requests in an hour end in 5xx",
    ])

    condition_threshold {
      filter = join(" AND ", [
        local.service_requests,
        "metric.labels.response_code_class = \"5xx\"",
      ])
      denominator_filter      = local.service_requests
      comparison              = "COMPARISON_GT"
      duration                = "60s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"
      threshold_value         = var.alerts.error_ratio

      aggregations {
        alignment_period     = local.hour
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.service_name"]
        per_series_aligner   = "ALIGN_RATE"
      }

      denominator_aggregations {
        alignment_period     = local.hour
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.service_name"]
        per_series_aligner   = "ALIGN_RATE"
      }
    }
  }

  documentation {
    content = join(" ", [
      "Gemini, Pub/Sub or the schedule tries again, so nothing is lost yet.",
      "The function's logs say why; `hooks doctor` says what to do. A function",
      "with few requests sets this off by one failure in an hour. This cannot",
      "see requests that reach no instance (429 and 403: alerts of their own).",
    ])
  }
}

resource "google_monitoring_alert_policy" "unavailable" {
  count                 = local.count
  project               = var.project
  display_name          = "${var.name}: deliveries are put off"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "ERROR"

  conditions {
    display_name = join(" ", [
      "More than ${var.alerts.unavailable_ratio * 100} %",
      "of the receiver's requests in an hour end in 503",
    ])

    condition_threshold {
      filter = join(" AND ", [
        local.deliveries,
        "metric.labels.response_code = \"503\"",
      ])
      denominator_filter      = local.deliveries
      comparison              = "COMPARISON_GT"
      duration                = "60s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"
      threshold_value         = var.alerts.unavailable_ratio

      aggregations {
        alignment_period     = local.hour
        cross_series_reducer = "REDUCE_SUM"
        per_series_aligner   = "ALIGN_RATE"
      }

      denominator_aggregations {
        alignment_period     = local.hour
        cross_series_reducer = "REDUCE_SUM"
        per_series_aligner   = "ALIGN_RATE"
      }
    }
  }

  documentation {
    content = join(" ", [
      "The receiver cannot get its keys or cannot reach Pub/Sub. Gemini",
      "repeats a delivery for 24 hours, and disables an endpoint that keeps",
      "failing.",
      "This cannot see deliveries for which no instance is free (429: an alert",
      "of its own), nor those that do not arrive at all.",
    ])
  }
}

resource "google_monitoring_alert_policy" "refused" {
  count                 = local.count
  project               = var.project
  display_name          = "${var.name}: signatures are refused"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "WARNING"

  conditions {
    display_name = join(" ", [
      "More than ${var.alerts.refused_per_hour} deliveries",
      "an hour are refused",
    ])

    condition_threshold {
      filter = join(" AND ", [
        local.deliveries,
        "metric.labels.response_code = \"401\"",
      ])
      comparison              = "COMPARISON_GT"
      duration                = "60s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"
      threshold_value         = var.alerts.refused_per_hour

      aggregations {
        alignment_period     = local.hour
        cross_series_reducer = "REDUCE_SUM"
        per_series_aligner   = "ALIGN_DELTA"
      }
    }
  }

  documentation {
    content = join(" ", [
      "Someone forges deliveries, or the signing secret here is not Gemini's.",
      "`hooks doctor` tells which; `POST /rotate` at the registrar replaces a",
      "wrong secret. This cannot see deliveries that reach no instance, nor",
      "ones that are refused for another reason than the signature (400).",
    ])
  }
}

resource "google_monitoring_alert_policy" "webhook_disabled" {
  count                 = local.count
  project               = var.project
  display_name          = "${var.name}: Gemini disabled the webhook"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "CRITICAL"

  alert_strategy {
    auto_close = "1800s"

    notification_rate_limit {
      period = "3600s"
    }
  }

  conditions {
    display_name = "The registrar found the webhook disabled"

    condition_matched_log {
      filter = join(" AND ", [
        "resource.type = \"cloud_run_revision\"",
        "resource.labels.service_name = \"${var.registrar}\"",
        "jsonPayload.message = \"webhook disabled\"",
      ])
    }
  }

  documentation {
    content = join(" ", [
      "Deliveries failed for so long that Gemini disabled the webhook. The",
      "registrar enables it again by itself, but events that Gemini no longer",
      "repeats are missing. Find out why the receiver failed. This cannot see",
      "a disabled webhook while the registrar itself does not run or fails.",
    ])
  }
}

resource "google_monitoring_alert_policy" "rotation_failed" {
  count                 = local.count > 0 && var.rotates ? 1 : 0
  project               = var.project
  display_name          = "${var.name}: rotating the signing secret failed"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "ERROR"

  alert_strategy {
    auto_close = "86400s"

    notification_rate_limit {
      period = "3600s"
    }
  }

  conditions {
    display_name = "The rotation's schedule failed"

    condition_matched_log {
      filter = join(" AND ", [
        "resource.type = \"cloud_scheduler_job\"",
        "resource.labels.job_id = \"${var.rotation_job}\"",
        "severity >= ERROR",
      ])
    }
  }

  documentation {
    content = join(" ", [
      "The signing secret is older than it should be; deliveries still verify.",
      "The registrar's logs say what Gemini or Secret Manager answered. This",
      "cannot see a schedule that is paused or missing.",
    ])
  }
}

resource "google_monitoring_alert_policy" "forbidden" {
  count                 = local.count
  project               = var.project
  display_name          = "${var.name}: callers are forbidden"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "ERROR"

  conditions {
    display_name = join(" ", [
      "More than ${var.alerts.forbidden_per_hour} requests",
      "an hour are refused with 403",
    ])

    condition_threshold {
      filter = join(" AND ", [
        local.service_filter,
        local.logged["forbidden"],
      ])
      comparison              = "COMPARISON_GT"
      duration                = "60s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"
      threshold_value         = var.alerts.forbidden_per_hour

      aggregations {
        alignment_period     = local.hour
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.service_name"]
        per_series_aligner   = "ALIGN_DELTA"
      }
    }
  }

  documentation {
    content = join(" ", [
      "A caller lacks the right to invoke a function (`roles/run.invoker`):",
      "Gemini if it is the receiver, Pub/Sub if it is the dispatcher, a",
      "schedule or a stranger if it is the registrar. `terraform plan` shows a",
      "missing grant. The count comes from the request log, so this cannot see",
      "requests that the log excludes, nor what `internal` ingress refuses",
      "(404); it counts the registrar's own refusals of readers too.",
    ])
  }
}

resource "google_monitoring_alert_policy" "saturated" {
  count                 = local.count
  project               = var.project
  display_name          = "${var.name}: no instance is free"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "ERROR"

  conditions {
    display_name = join(" ", [
      "More than ${var.alerts.saturated_per_minute} requests",
      "a minute are refused with 429",
    ])

    condition_threshold {
      filter = join(" AND ", [
        local.service_filter,
        local.logged["saturated"],
      ])
      comparison              = "COMPARISON_GT"
      duration                = "300s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"
      threshold_value         = var.alerts.saturated_per_minute

      aggregations {
        alignment_period     = "60s"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.service_name"]
        per_series_aligner   = "ALIGN_DELTA"
      }
    }
  }

  documentation {
    content = join(" ", [
      "All instances of a function are busy, and `max_instances` or the",
      "region's quota allows no more. Gemini and Pub/Sub try again, so nothing",
      "is lost yet. Raise `max_instances` in the variable `functions`. The",
      "count comes from the request log, so this cannot see requests that the",
      "log excludes, nor who gave up waiting before an answer.",
    ])
  }
}

resource "google_monitoring_alert_policy" "converge" {
  count                 = local.count
  project               = var.project
  display_name          = "${var.name}: the webhook is not looked after"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "ERROR"

  conditions {
    display_name = "No run of the registrar's schedule has succeeded"

    condition_absent {
      filter = join(" AND ", [
        "resource.type = \"cloud_scheduler_job\"",
        local.logged["converged"],
      ])
      duration = "900s"

      aggregations {
        alignment_period     = "60s"
        cross_series_reducer = "REDUCE_SUM"
        per_series_aligner   = "ALIGN_DELTA"
      }
    }
  }

  documentation {
    content = join(" ", [
      "Every minute a schedule has the registrar compare the webhook with what",
      "is declared, and for 15 minutes none of its runs succeeded: the",
      "schedule is paused or deleted, or the registrar fails. Deliveries go on",
      "meanwhile; a webhook that is disabled or edited stays so. `hooks",
      "doctor` and the registrar's logs say why. This cannot see a schedule of",
      "which no run has succeeded since the metric was made.",
    ])
  }
}

resource "google_monitoring_alert_policy" "unreachable" {
  count                 = local.count
  project               = var.project
  display_name          = "${var.name}: the receiver cannot be reached"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = "CRITICAL"

  conditions {
    display_name = "Its health check fails from two places or more"

    condition_threshold {
      filter = join(" AND ", [
        "resource.type = \"uptime_url\"",
        join("", [
          "metric.type = ",
          "\"monitoring.googleapis.com/uptime_check/check_passed\"",
        ]),
        join("", [
          "metric.labels.check_id = \"",
          google_monitoring_uptime_check_config.receiver[0].uptime_check_id,
          "\"",
        ]),
      ])
      comparison      = "COMPARISON_GT"
      duration        = "60s"
      threshold_value = 1

      aggregations {
        alignment_period     = "1200s"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.host"]
        per_series_aligner   = "ALIGN_NEXT_OLDER"
      }
    }
  }

  documentation {
    content = join(" ", [
      "Google asked for the receiver's health from several continents, at the",
      "address that Gemini delivers to, and got no 200: name, certificate,",
      "ingress, IAM or the function itself is out of order. Gemini repeats a",
      "delivery for 24 hours. This cannot see whether deliveries verify and",
      "are published, for which there are alerts of their own.",
    ])
  }
}
