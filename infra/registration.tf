locals {
  deployer = (
    var.deployer != null || !var.wait
    ? var.deployer
    : join(":", [
      endswith(data.google_client_openid_userinfo.deployer[0].email, ".gserviceaccount.com") ? "serviceAccount" : "user",
      data.google_client_openid_userinfo.deployer[0].email,
    ])
  )
}

data "google_client_openid_userinfo" "deployer" {
  count = var.wait && var.deployer == null ? 1 : 0

  lifecycle {
    postcondition {
      condition     = self.email != null && self.email != ""
      error_message = "These credentials do not tell whose they are. Name who applies, as in -var deployer=user:you@example.com, or do without waiting for the webhook: -var wait=false."
    }
  }
}

# With any change of the registrar pending, the read is put off until that has
# been applied.
module "registration" {
  source          = "./modules/registration"
  count           = var.wait ? 1 : 0
  project         = var.project
  region          = var.region
  audience        = module.registrar.wait.audience
  function        = module.registrar.function
  generation      = module.registrar.generation
  service_account = module.registrar.wait.service_account
  uri             = module.registrar.wait.uri
  wait_seconds    = var.wait_seconds
  depends_on      = [module.registrar]
}
