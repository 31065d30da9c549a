output "gemini_api_key" {
  description = "Secret of the API key and the number of its current version."
  value = {
    id        = google_secret_manager_secret.gemini_api_key.id
    secret_id = google_secret_manager_secret.gemini_api_key.secret_id
    version   = google_secret_manager_secret_version.gemini_api_key.version
  }
}

output "roles" {
  description = "Custom roles for the signing secret: `reader` and `keeper`."
  value = {
    keeper = google_project_iam_custom_role.keeper.id
    reader = google_project_iam_custom_role.reader.id
  }
}

output "signing_secret" {
  description = "Full name of the signing secret (`projects/…/secrets/…`)."
  value       = google_secret_manager_secret.signing.id
}
