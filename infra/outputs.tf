output "archive_bucket" {
  description = "Name of the archive's bucket; null without an archive."
  value       = one(module.archive[*].bucket)
}

output "dashboard" {
  description = "Address of the dashboard."
  value       = module.monitoring.dashboard
}

output "dead_letter_subscription" {
  description = "Full name of the subscription that holds the dead letters."
  value = join("/", [
    "projects/${var.project}/subscriptions",
    module.dead_letter.subscription,
  ])
}

output "dispatch_subscription" {
  description = "Full name of the push subscription on the ingress topic."
  value = join("/", [
    "projects/${var.project}/subscriptions",
    module.dispatcher.subscription,
  ])
}

output "jobs_database" {
  description = <<-EOT
    Id of the jobs' Firestore database, the `JOBS_DATABASE` of an application;
    null without `jobs`.
  EOT
  value       = one(module.jobs[*].access.database)
}

output "ledger_database" {
  description = "Id of the Firestore database."
  value       = module.ledger.database
}

output "load_balancer_address" {
  description = <<-EOT
    IP address that the domain of `load_balancer` has to point to; null without.
  EOT
  value       = one(module.load_balancer[*].address)
}

output "next_steps" {
  description = <<-EOT
    Commands that subscribe, check the deployment, send a test delivery and pull
    the event.
  EOT
  value       = <<-EOT
    Webhook    ${coalesce(local.own_uri, module.receiver.uri)}
    Dashboard  ${module.monitoring.dashboard}

    Subscribe  gcloud pubsub subscriptions create my-events \
                 --project ${var.project} \
                 --topic ${module.topics.topics["events"]}
               For some of the events add --message-filter, as in
                 --message-filter 'hasPrefix(attributes.ce-type, "batch.")'
               Or add an entry to the variable subscribers.

    Check      terraform output -json > deployment.json
               REGISTRAR_IDENTITY_TOKEN=$(gcloud auth print-identity-token) \
                 hooks doctor --outputs deployment.json

    Test       Have Gemini deliver a ping:
               curl -X POST ${module.registrar.uri}/ping \
                 -H "Authorization: Bearer $(gcloud auth print-identity-token)"

    Look       gcloud pubsub subscriptions pull my-events \
                 --project ${var.project} --auto-ack --limit 5
  EOT
}

output "project" {
  description = "Project id."
  value       = var.project
}

output "registrar_url" {
  description = "Address of the registrar."
  value       = module.registrar.uri
}

output "results_bucket" {
  description = <<-EOT
    Name of the bucket that takes the results of jobs; null without `collect`.
  EOT
  value       = one(module.collector[*].bucket)
}

output "service_accounts" {
  description = "E-mail addresses of the hops' identities."
  value = merge(
    {
      dispatcher = module.dispatcher.service_account
      receiver   = module.receiver.service_account
      registrar  = module.registrar.service_account
      schedules  = module.registrar.schedules_service_account
    },
    { for hop in module.collector : "collector" => hop.service_account },
    { for hop in module.reconciler : "reconciler" => hop.service_account },
  )
}

output "signing_secret" {
  description = <<-EOT
    Full name of the secret that holds the signing secret; never its value.
  EOT
  value       = module.secrets.signing_secret
}

output "subscriptions" {
  description = <<-EOT
    Per subscriber: the full name of its subscription, the identity that its
    pushes use, and the name of the subscription that holds its dead letters.
  EOT
  value = {
    for key, subscriber in module.subscribers : key => {
      dead_letter_subscription = subscriber.dead_letter_subscription
      identity                 = subscriber.identity
      subscription             = subscriber.subscription
    }
  }
}

output "topics" {
  description = <<-EOT
    Full names of the topics: `events` to subscribe to, `ingress`, `dead-letter`
    and one per route.
  EOT
  value       = merge(local.topics, { dead-letter = module.dead_letter.topic })
}

output "webhook_url" {
  description = "Address that Gemini delivers to."
  value       = coalesce(local.own_uri, module.receiver.uri)
}
