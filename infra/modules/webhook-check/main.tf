# Terraform declares the webhook in the registrar's environment, and the
# registrar makes it so. This module only reads: Terraform reads data sources in
# every plan and in the refresh of a destroy, so reading must change nothing.

locals {
  logs = join(" ", [
    "gcloud functions logs read ${var.function}",
    "--project ${var.project} --region ${var.region} --limit 50",
  ])
  drift = try(
    coalesce(jsondecode(data.http.webhook.response_body).reason),
    coalesce(jsondecode(data.http.webhook.response_body).error),
    coalesce(substr(data.http.webhook.response_body, 0, 500)),
    "no reason given",
  )
}

data "google_service_account_id_token" "wait" {
  target_audience        = var.audience
  target_service_account = var.service_account
  include_email          = true
}

# The registrar answers as soon as it has reached the generation, or after
# wait_seconds with the reason why it has not. It answers 200 in both cases: for
# 5xx the provider would not show the body.
data "http" "webhook" {
  url = join("", [
    "${var.uri}/webhook",
    "?generation=${var.generation}&wait=${var.wait_seconds}",
  ])
  request_headers = {
    Authorization = (
      "Bearer ${data.google_service_account_id_token.wait.id_token}"
    )
  }
  request_timeout_ms = (var.wait_seconds + 20) * 1000

  # For a dropped connection, or an instance that is being replaced.
  retry {
    attempts     = 2
    min_delay_ms = 2000
    max_delay_ms = 5000
  }

  lifecycle {
    postcondition {
      condition = (
        self.status_code == 200 &&
        try(jsondecode(self.response_body).generation == var.generation, false)
      )
      error_message = join("", [
        "The webhook is not registered as it should be: ",
        try(
          coalesce(jsondecode(self.response_body).reason),
          coalesce(jsondecode(self.response_body).error),
          coalesce(substr(self.response_body, 0, 500)),
          "no reason given",
        ),
        self.status_code == 200
        ? ""
        : " (the registrar answered ${self.status_code})",
        "\n",
        self.status_code == 403
        ? "New grants can take some minutes to take effect: then apply again."
        : "Once that is fixed, apply again. Its logs: ${local.logs}",
      ])
    }
  }
}

check "webhook" {
  assert {
    condition = try(
      jsondecode(data.http.webhook.response_body).in_sync,
      false,
    )
    error_message = join("", [
      "The webhook at Gemini is not as it should be: ${local.drift}\n",
      "The registrar heals it within a minute; ",
      "if this stays, read its logs: ${local.logs}",
    ])
  }
}
