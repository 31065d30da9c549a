output "function" {
  description = "Name of the function and of its Cloud Run service."
  value       = module.function.name
}

output "job" {
  description = "Name of the schedule."
  value       = google_cloud_scheduler_job.reconcile.name
}

output "service_account" {
  description = "E-mail address of the reconciler's identity."
  value       = google_service_account.reconciler.email
}
