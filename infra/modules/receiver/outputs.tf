output "function" {
  description = "Name of the function and of its Cloud Run service."
  value       = module.function.name
}

output "service_account" {
  description = "E-mail address of the receiver's identity."
  value       = google_service_account.receiver.email
}

output "uri" {
  description = "Address that Gemini delivers to."
  value       = module.function.uri
}
