output "bucket" {
  description = "Name of the bucket."
  value       = google_storage_bucket.archive.name
}

output "subscriptions" {
  description = "Names of the archiving subscriptions by topic."
  value       = { for key, subscription in google_pubsub_subscription.archive : key => subscription.name }
}
