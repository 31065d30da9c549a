locals {
  # Where Gemini delivers to if that is not the receiver's own address.
  own_uri = try(
    coalesce(var.webhook.uri, "https://${var.load_balancer.domain}/"),
    var.webhook.uri,
  )
  # The address that is known before the receiver exists.
  receiver_uri = coalesce(local.own_uri, join("", [
    "https://${var.name}-receiver-${local.project_number}",
    ".${var.region}.run.app",
  ]))
  routes = [
    for name, route in var.routes : {
      name     = name
      metadata = route.metadata
      topic = coalesce(
        route.topic,
        try(module.topics.topics["route-${name}"], null),
      )
      types = route.types
    }
  ]
  # Topics by the names that subscribers use.
  topics = merge(
    {
      events  = module.topics.topics["events"]
      ingress = module.topics.topics["ingress"]
    },
    { for route in local.routes : route.name => route.topic },
  )
}

module "load_balancer" {
  source              = "./modules/load-balancer"
  count               = var.load_balancer == null ? 0 : 1
  project             = local.project
  region              = var.region
  name                = "${var.name}-receiver"
  domain              = var.load_balancer.domain
  labels              = var.labels
  requests_per_minute = var.load_balancer.requests_per_minute
  service             = module.receiver.function
}

module "builder" {
  source              = "./modules/builder"
  project             = local.project
  project_number      = local.project_number
  region              = var.region
  name                = var.name
  kms_key             = local.kms_key
  labels              = var.labels
  propagation_seconds = var.propagation_seconds
  requirements = coalesce(
    var.source_code.requirements,
    "${path.module}/../requirements.txt",
  )
  source_dir = coalesce(
    var.source_code.directory,
    "${path.module}/../functions",
  )
}

module "topics" {
  source                  = "./modules/topics"
  project                 = local.project
  name                    = var.name
  kms_key                 = local.kms_key
  labels                  = var.labels
  message_storage_regions = var.message_storage_regions
  topics = merge(
    {
      events  = { retention = var.topic_retention.events }
      ingress = { retention = var.topic_retention.ingress }
    },
    {
      for name, route in var.routes :
      "route-${name}" => {} if route.topic == null
    },
  )
}

module "dead_letter" {
  source                  = "./modules/dead-letter"
  project                 = local.project
  name                    = "${var.name}-dead-letter"
  kms_key                 = local.kms_key
  labels                  = var.labels
  message_storage_regions = var.message_storage_regions
  pubsub_agent            = local.pubsub_agent
}

module "ledger" {
  source                 = "./modules/ledger"
  project                = local.project
  location               = coalesce(var.ledger.location, var.region)
  name                   = var.name
  delete_protection      = var.ledger.delete_protection
  kms_key                = local.kms_key
  point_in_time_recovery = var.ledger.point_in_time_recovery
}

module "secrets" {
  source                 = "./modules/secrets"
  project                = local.project
  region                 = var.region
  name                   = var.name
  gemini_api_key         = var.gemini_api_key
  gemini_api_key_version = var.gemini_api_key_version
  kms_key                = local.kms_key
  labels                 = var.labels
}

module "receiver" {
  source         = "./modules/receiver"
  load_balanced  = var.load_balancer != null
  public         = var.public
  project        = local.project
  region         = var.region
  name           = var.name
  build          = module.builder.build
  ingress_topic  = module.topics.topics["ingress"]
  kms_key        = local.kms_key
  labels         = var.labels
  runtime        = var.runtime
  signing_secret = module.secrets.signing_secret
  size           = var.functions.receiver
  verification   = var.verification
}

module "dispatcher" {
  source               = "./modules/dispatcher"
  project              = local.project
  project_number       = local.project_number
  region               = var.region
  name                 = var.name
  build                = module.builder.build
  database             = module.ledger.database
  database_condition   = module.ledger.condition
  dead_letter_topic    = module.dead_letter.topic
  dedup_retention_days = var.ledger.dedup_retention_days
  events_topic         = module.topics.topics["events"]
  ingress_topic        = module.topics.topics["ingress"]
  jobs                 = one(module.jobs[*].access)
  kms_key              = local.kms_key
  labels               = var.labels
  pubsub_agent         = local.pubsub_agent
  routes               = local.routes
  runtime              = var.runtime
  size                 = var.functions.dispatcher
}

module "registrar" {
  source                 = "./modules/registrar"
  project                = local.project
  project_number         = local.project_number
  region                 = var.region
  name                   = var.name
  build                  = module.builder.build
  database               = module.ledger.database
  database_condition     = module.ledger.condition
  deployer               = local.deployer
  gemini_api_key         = module.secrets.gemini_api_key
  gemini_api_key_version = var.gemini_api_key_version
  gemini_base_url        = var.gemini_base_url
  kms_key                = local.kms_key
  labels                 = var.labels
  operators              = var.operators
  propagation_seconds    = var.propagation_seconds
  registered             = var.registered
  rotation               = var.rotation
  runtime                = var.runtime
  signing_secret         = module.secrets.signing_secret
  signing_secret_role    = module.secrets.keeper_role
  size                   = var.functions.registrar
  wait                   = var.wait
  webhook = {
    events = sort(var.webhook.events)
    name   = coalesce(var.webhook.name, var.name)
    uri    = coalesce(local.own_uri, module.receiver.uri)
  }
}

module "subscribers" {
  source                  = "./modules/subscriber"
  for_each                = var.subscribers
  project                 = local.project
  name                    = "${var.name}-${each.key}"
  ack_deadline_seconds    = each.value.ack_deadline_seconds
  bigquery                = each.value.bigquery
  dead_letter             = each.value.dead_letter
  filter                  = each.value.filter
  kms_key                 = local.kms_key
  labels                  = var.labels
  message_storage_regions = var.message_storage_regions
  propagation_seconds     = var.propagation_seconds
  pubsub_agent            = local.pubsub_agent
  pull                    = each.value.pull
  push                    = each.value.push
  retry                   = each.value.retry
  storage                 = each.value.storage
  topic                   = local.topics[each.value.topic]
}

module "archive" {
  source              = "./modules/archive"
  count               = var.archive == null ? 0 : 1
  project             = local.project
  location            = coalesce(var.archive.location, var.region)
  name                = var.name
  delete_after_days   = var.archive.delete_after_days
  file_seconds        = var.archive.file_seconds
  force_destroy       = var.archive.force_destroy
  kms_key             = local.kms_key
  labels              = var.labels
  propagation_seconds = var.propagation_seconds
  pubsub_agent        = local.pubsub_agent
  topics = {
    dead-letter = module.dead_letter.topic
    ingress     = module.topics.topics["ingress"]
  }
}

module "monitoring" {
  source              = "./modules/monitoring"
  project             = local.project
  region              = var.region
  name                = var.name
  alerts              = var.alerts
  converge_job        = module.registrar.jobs.converge
  dispatcher          = module.dispatcher.function
  further_services    = local.further_services
  propagation_seconds = var.propagation_seconds
  receiver            = module.receiver.function
  receiver_host       = regex("^https://([^/:]+)", local.receiver_uri)[0]
  receiver_path       = regex("^https://[^/]+(.*)$", local.receiver_uri)[0]
  registrar           = module.registrar.function
  rotates             = var.rotation.days != null
  rotation_job        = module.registrar.jobs.rotate
  # A subscriber may be called relay, and must not take that key.
  dead_letter_subscriptions = merge(
    { relay = module.dead_letter.subscription },
    {
      for key, subscriber in module.subscribers :
      "subscriber ${key}" => subscriber.dead_letter_subscription
      if var.subscribers[key].dead_letter != null
    },
  )
  subscriptions = merge(
    { dispatch = module.dispatcher.subscription },
    { for collector in module.collector : "collect" => collector.subscription },
    {
      for key, subscriber in module.subscribers :
      "subscriber ${key}" => subscriber.subscription_name
    },
    try({
      for key, name in module.archive[0].subscriptions :
      "archive ${key}" => name
    }, {}),
  )
}
