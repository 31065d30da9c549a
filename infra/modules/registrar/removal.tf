# When the deployment goes, so does its webhook: after the schedules, while the
# registrar and what it needs are still there. Never in the way of the rest.
resource "terraform_data" "removal" {
  # Another name or region is another deployment: the webhook of this one goes.
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
