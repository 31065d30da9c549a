output "function" {
  description = "Name of the function and of its Cloud Run service."
  value       = module.function.name
}

output "generation" {
  description = <<-EOT
    Mark of the desired state, which the registrar reports once it has reached
    it.
  EOT
  value       = local.generation
}

output "jobs" {
  description = "Names of the schedules; `rotate` is null without rotation."
  value = {
    converge = google_cloud_scheduler_job.converge.name
    rotate   = one(google_cloud_scheduler_job.rotate[*].name)
  }
}

output "schedules_service_account" {
  description = "E-mail address of Cloud Scheduler's identity at the registrar."
  value       = google_service_account.schedules.email
}

output "service_account" {
  description = "E-mail address of the registrar's identity."
  value       = google_service_account.registrar.email
}

output "uri" {
  description = "Address of the registrar."
  value       = module.function.uri
}

output "wait" {
  description = <<-EOT
    How to ask the registrar, once the grants hold: its address, the identity to
    ask as, and the audience of its token; null without `wait`.
  EOT
  value = !var.wait ? null : {
    audience = local.audience
    # Read from the sleep, which is the first to go in a destroy: a destroy
    # that is resumed must not try to wait for a half-destroyed registrar.
    service_account = time_sleep.grants[0].triggers["service_account"]
    uri             = time_sleep.grants[0].triggers["uri"]
  }
}
