# A destroy removes the webhook: after the schedules, and while the registrar
# and what it needs still exist. A failure never stops the destroy.
resource "terraform_data" "removal" {
  # Another project, region or name is another deployment: remove the webhook of
  # this one.
  triggers_replace = [var.project, var.region, var.name]

  input = {
    audience = local.audience
    identity = google_service_account.schedules.email
    uri      = module.function.uri
    webhook  = var.webhook.uri
  }

  provisioner "local-exec" {
    when       = destroy
    command    = "sh '${path.module}/remove-webhook.sh'"
    on_failure = continue
    environment = {
      AUDIENCE      = self.output.audience
      IDENTITY      = try(self.output.identity, "")
      REGISTRAR_URI = self.output.uri
      WEBHOOK_URI   = self.output.webhook
    }
  }

  depends_on = [
    google_service_account_iam_member.remover,
    module.function,
  ]
}

# Whoever applies may have an identity of ours asked with: in a pipeline without
# a key the deployer has no identity token of its own, and a group never has.
resource "google_service_account_iam_member" "remover" {
  count              = var.deployer == null ? 0 : 1
  service_account_id = google_service_account.schedules.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = var.deployer
}
