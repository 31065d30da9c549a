output "function" {
  description = "Name of the function and of its Cloud Run service."
  value       = module.function.name
}

output "service_account" {
  description = "E-mail address of the dispatcher's identity."
  value       = google_service_account.dispatcher.email
}

output "subscription" {
  description = "Name of the push subscription on the ingress topic."
  value       = google_pubsub_subscription.dispatch.name
}
