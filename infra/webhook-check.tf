# While a change of the registrar is pending, the read waits until the change
# has been applied.
module "webhook_check" {
  source          = "./modules/webhook-check"
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
