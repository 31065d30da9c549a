# Fetching results into a bucket. Without `collect` there is nothing of it.

module "collector" {
  source              = "./modules/collector"
  count               = var.collect == null ? 0 : 1
  project             = local.project
  project_number      = local.project_number
  region              = var.region
  name                = var.name
  alerts              = local.alerts
  bucket              = var.collect.bucket
  build               = module.builder.build
  dead_letter_topic   = module.dead_letter.topic
  delete_after_days   = var.collect.delete_after_days
  events_topic        = module.topics.topics["events"]
  filter              = var.collect.filter
  force_destroy       = var.collect.force_destroy
  gemini_api_key      = module.secrets.gemini_api_key
  gemini_base_url     = var.gemini_base_url
  grant               = var.collect.grant
  ingress_topic       = module.topics.topics["ingress"]
  kms_key             = local.kms_key
  labels              = var.labels
  location            = coalesce(var.collect.location, var.region)
  propagation_seconds = var.propagation_seconds
  runtime             = var.runtime
  size                = var.functions.collector
}
