# Terraform declares the webhook in the registrar's environment; the registrar
# makes it so. All that Terraform does here is to read: a data source is read
# in every plan, and in the refresh of a destroy, so it must not change a thing.

locals {
  deployer = (
    var.deployer != null || !var.wait
    ? var.deployer
    : join(":", [
      endswith(data.google_client_openid_userinfo.deployer[0].email, ".gserviceaccount.com") ? "serviceAccount" : "user",
      data.google_client_openid_userinfo.deployer[0].email,
    ])
  )
  webhook = (
    var.wait
    ? try(jsondecode(data.http.webhook[0].response_body), { in_sync = false, reason = "its answer cannot be read" })
    : null
  )
}

data "google_client_openid_userinfo" "deployer" {
  count = var.wait && var.deployer == null ? 1 : 0

  lifecycle {
    postcondition {
      condition     = coalesce(self.email, "-") != "-"
      error_message = "The credentials do not tell whose they are. Name who applies, as in -var deployer=user:you@example.com, or do without waiting for the webhook: -var wait=false."
    }
  }
}

data "google_service_account_id_token" "wait" {
  count                  = var.wait ? 1 : 0
  target_audience        = module.registrar.wait.audience
  target_service_account = module.registrar.wait.service_account
  include_email          = true
}

# Answered as soon as the generation has been reached, or in the end with the
# reason why not; an answer of 5xx would keep its body from us. With any change
# of the registrar pending, the read is put off until that has been applied.
data "http" "webhook" {
  count              = var.wait ? 1 : 0
  url                = "${module.registrar.wait.uri}/webhook?generation=${module.registrar.generation}&wait=${var.wait_seconds}"
  request_headers    = { Authorization = "Bearer ${data.google_service_account_id_token.wait[0].id_token}" }
  request_timeout_ms = (var.wait_seconds + 20) * 1000

  # A dropped connection or an instance that is just being replaced.
  retry {
    attempts     = 2
    min_delay_ms = 2000
    max_delay_ms = 5000
  }

  lifecycle {
    postcondition {
      condition     = try(jsondecode(self.response_body).generation, null) == module.registrar.generation
      error_message = <<-EOT
        The webhook is not registered as it should be. The registrar (${module.registrar.uri}, logs of ${module.registrar.function}) answered ${self.status_code}:
          ${try(jsondecode(self.response_body).reason, jsondecode(self.response_body).error, substr(self.response_body, 0, 500))}
        ${self.status_code == 403 ? "New grants may need some minutes more to hold: apply again then." : "Once that is mended, apply again."}
      EOT
    }
  }

  depends_on = [module.registrar]
}

check "webhook" {
  assert {
    condition     = !var.wait || try(local.webhook.in_sync, false)
    error_message = <<-EOT
      The webhook at Gemini is not as it should be: ${try(coalesce(local.webhook.reason), "it differs from what is declared")}.
      The registrar heals it within a minute; if this stays, read the logs of ${module.registrar.function}.
    EOT
  }
}
