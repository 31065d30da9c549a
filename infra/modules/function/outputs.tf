output "environment" {
  description = "Environment variables, but for those from Secret Manager."
  value       = google_cloudfunctions2_function.function.service_config[0].environment_variables
}

output "name" {
  description = "Name of the function and of its Cloud Run service."
  value       = google_cloudfunctions2_function.function.name
}

output "uri" {
  description = "The service's own `run.app` address."
  value       = google_cloudfunctions2_function.function.service_config[0].uri
}
