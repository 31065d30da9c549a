output "archive_bucket" {
  description = "Bucket of the archive; null without one."
  value       = one(module.archive[*].bucket)
}

output "dashboard" {
  description = "Where to watch it."
  value       = module.monitoring.dashboard
}

output "dead_letter_subscription" {
  description = "Full name of the subscription that holds the dead letters."
  value       = "projects/${var.project}/subscriptions/${module.dead_letter.subscription}"
}

output "dispatch_subscription" {
  description = "Full name of the push subscription on the ingress topic."
  value       = "projects/${var.project}/subscriptions/${module.dispatcher.subscription}"
}

output "ledger_database" {
  description = "Id of the Firestore database."
  value       = module.ledger.database
}

output "next_steps" {
  description = "How to subscribe, how to send a test delivery, how to see what happened."
  value       = <<-EOT
    Webhook    ${module.receiver.uri}
    Dashboard  ${module.monitoring.dashboard}

    Subscribe  gcloud pubsub subscriptions create my-events --project ${var.project} \
                 --topic ${module.topics.topics["events"]}
               (with --message-filter 'hasPrefix(attributes.ce-type, "batch.")' for some of them),
               or add an entry to the variable subscribers.

    Check      terraform output -json > deployment.json
               export REGISTRAR_IDENTITY_TOKEN=$(gcloud auth print-identity-token)
               hooks doctor --outputs deployment.json

    Test       Have Gemini deliver a ping:
               curl -X POST ${module.registrar.uri}/ping \
                 -H "Authorization: Bearer $(gcloud auth print-identity-token)"

    Look       gcloud pubsub subscriptions pull my-events --project ${var.project} --auto-ack --limit 5
  EOT
}

output "project" {
  description = "Project id."
  value       = var.project
}

output "registrar_url" {
  description = "Address of the registrar, for the deployer and the schedules."
  value       = module.registrar.uri
}

output "service_accounts" {
  description = "E-mails of the identities of the hops."
  value = {
    dispatcher = module.dispatcher.service_account
    receiver   = module.receiver.service_account
    registrar  = module.registrar.service_account
    schedules  = module.registrar.schedules_service_account
  }
}

output "signing_secret" {
  description = "Full name of the secret that holds the signing secret; its value is nowhere here."
  value       = module.secrets.signing_secret
}

output "subscriptions" {
  description = "Subscriptions of the `subscribers`: full name, the identity a push bears, and the subscription that holds their dead letters."
  value = {
    for key, subscriber in module.subscribers : key => {
      dead_letter_subscription = subscriber.dead_letter_subscription
      identity                 = subscriber.identity
      subscription             = subscriber.subscription
    }
  }
}

output "topics" {
  description = "Full names of the topics: `events` to subscribe to, `ingress`, `dead-letter`, and one per route."
  value       = merge(local.topics, { dead-letter = module.dead_letter.topic })
}

output "webhook_url" {
  description = "Address that Gemini delivers to."
  value       = coalesce(var.webhook.uri, module.receiver.uri)
}
