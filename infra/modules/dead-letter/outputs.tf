output "subscription" {
  description = "Name of the subscription that holds the dead letters."
  value       = google_pubsub_subscription.dead_letter.name
}

output "topic" {
  description = <<-EOT
    Full name of the dead-letter topic, once Pub/Sub may publish to it.
  EOT
  value = join("/", [
    "projects/${google_pubsub_topic.dead_letter.project}",
    "topics/${google_pubsub_topic.dead_letter.name}",
  ])
  depends_on = [google_pubsub_topic_iam_member.agent]
}
