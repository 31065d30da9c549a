output "environment" {
  description = "Environment variables, except those from Secret Manager."
  value       = local.service.environment_variables
}

output "name" {
  description = "Name of the function and of its Cloud Run service."
  value       = google_cloudfunctions2_function.function.name
}

output "uri" {
  description = "The `run.app` address of the service."
  value       = local.service.uri
}
