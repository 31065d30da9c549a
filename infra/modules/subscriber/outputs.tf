output "dead_letter_subscription" {
  description = <<-EOT
    Name of the subscription that holds the dead letters; null without dead
    letters.
  EOT
  value       = one(module.dead_letter[*].subscription)
}

output "identity" {
  description = <<-EOT
    E-mail address of the identity whose token a push carries; null for other
    kinds.
  EOT
  value       = local.identity
}

output "subscription" {
  description = "Full name of the subscription (`projects/…/subscriptions/…`)."
  value = join("/", [
    "projects/${var.project}/subscriptions",
    google_pubsub_subscription.subscription.name,
  ])
}

output "subscription_name" {
  description = "Short name of the subscription."
  value       = google_pubsub_subscription.subscription.name
}
