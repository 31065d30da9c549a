# Following jobs: their database, and the reconciler, which announces the end of
# those whose webhook never came. Without `jobs` there is nothing of it.

module "jobs" {
  source                 = "./modules/jobs"
  count                  = var.jobs == null ? 0 : 1
  project                = local.project
  location               = coalesce(var.ledger.location, var.region)
  name                   = "${var.name}-jobs"
  clients                = var.jobs.clients
  delete_protection      = var.ledger.delete_protection
  kms_key                = local.kms_key
  point_in_time_recovery = var.ledger.point_in_time_recovery
}

module "reconciler" {
  source              = "./modules/reconciler"
  count               = var.jobs == null ? 0 : 1
  project             = local.project
  project_number      = local.project_number
  region              = var.region
  name                = var.name
  adopt               = var.jobs.adopt
  alerts              = local.alerts
  budget_seconds      = var.jobs.budget_seconds
  build               = module.builder.build
  database            = module.ledger.database
  database_condition  = module.ledger.condition
  events              = sort(var.webhook.events)
  gemini_api_key      = module.secrets.gemini_api_key
  gemini_base_url     = var.gemini_base_url
  give_up_hours       = var.jobs.give_up_hours
  ingress_topic       = module.topics.topics["ingress"]
  jobs                = module.jobs[0].access
  kms_key             = local.kms_key
  labels              = var.labels
  per_second          = var.jobs.per_second
  propagation_seconds = var.propagation_seconds
  runtime             = var.runtime
  size                = var.functions.reconciler
}
