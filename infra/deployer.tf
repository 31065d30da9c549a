locals {
  deployer_email = one(data.google_client_openid_userinfo.deployer[*].email)
  deployer_kind = (
    endswith(coalesce(local.deployer_email, "-"), ".gserviceaccount.com")
    ? "serviceAccount"
    : "user"
  )
  deployer = (
    local.deployer_email == null
    ? var.deployer
    : "${local.deployer_kind}:${local.deployer_email}"
  )
}

data "google_client_openid_userinfo" "deployer" {
  count = var.wait && var.deployer == null ? 1 : 0

  lifecycle {
    postcondition {
      condition = self.email != null && self.email != ""
      error_message = join(" ", [
        "These credentials do not tell whose they are. Name who applies, as in",
        "-var deployer=user:you@example.com, or do not wait for the webhook:",
        "-var wait=false.",
      ])
    }
  }
}
