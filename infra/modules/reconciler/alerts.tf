locals {
  log_filter = join(" AND ", [
    "resource.type = \"cloud_run_revision\"",
    "resource.labels.service_name = \"${local.function}\"",
  ])
  # Logged at once for each event: a run that is cut off has no account.
  told = "jsonPayload.message = \"event announced\""
  # Of cancelled jobs, failed videos and the like Gemini tells nobody, so that
  # the reconciler always announces those.
  events = join(" OR ", [for event in var.events : jsonencode(event)])
  # What the reconciler's log says, by the policy that it sets off.
  logged = {
    announced = {
      title     = "webhooks did not come"
      condition = "The reconciler announced what Gemini had not"
      severity  = "WARNING"
      filter    = "${local.told} AND jsonPayload.type = (${local.events})"
      content = [
        "A job ended, or asks for something, and its webhook never came. The",
        "reconciler announced it in Gemini's place, so nothing is lost; look",
        "for what kept the webhook away: `hooks doctor`, and the receiver's",
        "log. This cannot see the lost webhooks of jobs that nobody follows.",
      ]
    }
    key_refused = {
      title     = "the reconciler's API key is refused"
      condition = "Gemini refused the reconciler's API key"
      severity  = "CRITICAL"
      filter    = "jsonPayload.message = \"key refused\""
      content = [
        "No job can be asked for, and a lost webhook stays lost until the key",
        "works again: create one and apply with the next",
        "`gemini_api_key_version`. This cannot see a key that is out of quota.",
      ]
    }
    lost = {
      title     = "a job is lost"
      condition = "The reconciler gave a job up"
      severity  = "ERROR"
      filter    = "${local.told} AND jsonPayload.type = \"relay.job.lost\""
      content = [
        "A job was not found ended within `give_up_hours` of its start, and is",
        "no longer asked for. `relay.job.lost` was published; an event that",
        "still comes ends the job. `hooks jobs list` shows it. This cannot see",
        "jobs that were started without the library.",
      ]
    }
    overdue = {
      title     = "a job is overdue"
      condition = "A job has passed its deadline"
      severity  = "WARNING"
      filter    = "${local.told} AND jsonPayload.type = \"relay.job.overdue\""
      content = [
        "A job still runs past the deadline that its application gave it.",
        "`relay.job.overdue` was published, once; the job is followed further.",
        "This cannot see jobs without a deadline.",
      ]
    }
  }
}

resource "google_monitoring_alert_policy" "logged" {
  for_each              = var.alerts.enabled ? local.logged : {}
  project               = var.project
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  notification_channels = var.alerts.channels
  severity              = each.value.severity

  alert_strategy {
    auto_close = "86400s"

    notification_rate_limit {
      period = "3600s"
    }
  }

  conditions {
    display_name = each.value.condition

    condition_matched_log {
      filter = "${local.log_filter} AND ${each.value.filter}"
    }
  }

  documentation {
    content = join(" ", each.value.content)
  }
}

resource "google_monitoring_alert_policy" "silent" {
  count                 = var.alerts.enabled ? 1 : 0
  project               = var.project
  display_name          = "${var.name}: the reconciler is silent"
  combiner              = "OR"
  notification_channels = var.alerts.channels
  severity              = "ERROR"

  conditions {
    display_name = "No run of the reconciler has succeeded for an hour"

    condition_absent {
      filter = join(" AND ", [
        "resource.type = \"cloud_run_revision\"",
        "resource.labels.location = \"${var.region}\"",
        "resource.labels.service_name = \"${local.function}\"",
        "metric.type = \"run.googleapis.com/request_count\"",
        "metric.labels.response_code = \"200\"",
      ])
      duration = "3600s"

      # One series for all revisions: that of an old one may end.
      aggregations {
        alignment_period     = "300s"
        cross_series_reducer = "REDUCE_SUM"
        per_series_aligner   = "ALIGN_DELTA"
      }
    }
  }

  documentation {
    content = join(" ", [
      "Jobs whose webhook is lost are not found meanwhile. The schedule's log",
      "and the reconciler's say why: a paused schedule, a refused key, 409",
      "where a run does not end. This cannot see a reconciler that has not",
      "succeeded once since the alert was made.",
    ])
  }
}
