output "bucket" {
  description = "Name of the bucket."
  value       = google_storage_bucket.archive.name
}

output "subscriptions" {
  description = <<-EOT
    Names of the subscriptions that write to the bucket, by folder.
  EOT
  value = {
    for key, subscription in google_pubsub_subscription.archive :
    key => subscription.name
  }
}
