output "function" {
  description = "Name of the function and of its Cloud Run service."
  value       = module.function.name
}

output "service_account" {
  description = "E-mail of the receiver's identity."
  value       = google_service_account.receiver.email
}

output "uri" {
  description = "Address at which deliveries are received."
  value       = module.function.uri
}
