output "function" {
  description = "Name of the function and of its Cloud Run service."
  value       = module.function.name
}

output "generation" {
  description = "Mark of the desired state."
  value       = local.generation
}

output "jobs" {
  description = "Names of the schedules."
  value = {
    converge = google_cloud_scheduler_job.converge.name
    rotate   = one(google_cloud_scheduler_job.rotate[*].name)
  }
}

output "schedules_service_account" {
  description = "E-mail of Cloud Scheduler's identity at the registrar."
  value       = google_service_account.schedules.email
}

output "service_account" {
  description = "E-mail of the registrar's identity."
  value       = google_service_account.registrar.email
}

output "uri" {
  description = "Address of the registrar."
  value       = module.function.uri
}

output "wait" {
  description = "Where and as whom to wait, once the grants hold; null where nobody waits."
  value = var.wait == null ? null : {
    audience = local.audience
    # Through the sleep, which goes first when the deployment is destroyed: a
    # destroy that is resumed must not try to wait with what is half gone.
    service_account = time_sleep.grants[0].triggers["service_account"]
    uri             = time_sleep.grants[0].triggers["uri"]
  }
}
