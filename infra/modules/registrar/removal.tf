# A destroy removes the webhook: after the schedules, and while the registrar
# and what it needs still exist. A failure never stops the destroy.
resource "terraform_data" "removal" {
  # Another project, region or name is another deployment: remove the webhook of
  # this one.
  triggers_replace = [var.project, var.region, var.name]

  input = {
    audience = local.audience
    uri      = module.function.uri
    webhook  = var.webhook.uri
  }

  provisioner "local-exec" {
    when       = destroy
    command    = "sh '${path.module}/remove-webhook.sh'"
    on_failure = continue
    environment = {
      AUDIENCE      = self.output.audience
      REGISTRAR_URI = self.output.uri
      WEBHOOK_URI   = self.output.webhook
    }
  }

  depends_on = [module.function]
}
