# Terraform declares the webhook in the registrar's environment; the registrar
# makes it so. All that Terraform does here is to read: a data source is read
# in every plan, and in the refresh of a destroy, so it must not change a thing.

locals {
  logs = "gcloud functions logs read ${var.function} --project ${var.project} --region ${var.region} --limit 50"
}

data "google_service_account_id_token" "wait" {
  target_audience        = var.audience
  target_service_account = var.service_account
  include_email          = true
}

# Answered as soon as the generation has been reached, or in the end with the
# reason why not. An answer of 5xx would keep its body from us.
data "http" "webhook" {
  url                = "${var.uri}/webhook?generation=${var.generation}&wait=${var.wait_seconds}"
  request_headers    = { Authorization = "Bearer ${data.google_service_account_id_token.wait.id_token}" }
  request_timeout_ms = (var.wait_seconds + 20) * 1000

  # A dropped connection, or an instance that is just being replaced.
  retry {
    attempts     = 2
    min_delay_ms = 2000
    max_delay_ms = 5000
  }

  lifecycle {
    postcondition {
      condition     = self.status_code == 200 && try(jsondecode(self.response_body).generation == var.generation, false)
      error_message = <<-EOT
        The webhook is not registered as it should be: ${try(coalesce(jsondecode(self.response_body).reason), coalesce(jsondecode(self.response_body).error), coalesce(substr(self.response_body, 0, 500)), "no reason given")}${self.status_code == 200 ? "" : " (the registrar answered ${self.status_code})"}
        ${self.status_code == 403 ? "New grants may take some minutes to hold: apply again then." : "Once that is mended, apply again. Its logs: ${local.logs}"}
      EOT
    }
  }
}

check "webhook" {
  assert {
    condition     = try(jsondecode(data.http.webhook.response_body).in_sync, false)
    error_message = <<-EOT
      The webhook at Gemini is not as it should be: ${try(coalesce(jsondecode(data.http.webhook.response_body).reason), coalesce(jsondecode(data.http.webhook.response_body).error), coalesce(substr(data.http.webhook.response_body, 0, 500)), "no reason given")}
      The registrar heals it within a minute; if this stays, read its logs: ${local.logs}
    EOT
  }
}
