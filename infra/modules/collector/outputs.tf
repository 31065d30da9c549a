output "bucket" {
  description = "Name of the bucket that takes the results."
  value       = local.bucket
}

output "function" {
  description = "Name of the function and of its Cloud Run service."
  value       = module.function.name
}

output "service_account" {
  description = "E-mail address of the collector's identity."
  value       = google_service_account.collector.email
}

output "subscription" {
  description = "Name of the push subscription on the events topic."
  value       = google_pubsub_subscription.collect.name
}
