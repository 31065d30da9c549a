output "gemini_api_key" {
  description = "Secret of the API key, and the number of its current version."
  value = {
    id = join("/", [
      "projects/${var.project}/secrets",
      google_secret_manager_secret.gemini_api_key.secret_id,
    ])
    secret_id = google_secret_manager_secret.gemini_api_key.secret_id
    version   = google_secret_manager_secret_version.gemini_api_key.version
  }
}

output "keeper_role" {
  description = "Custom role on the signing secret for the registrar."
  value = join("/", [
    "projects/${var.project}/roles",
    google_project_iam_custom_role.keeper.role_id,
  ])
}

output "signing_secret" {
  description = "Full name of the signing secret (`projects/…/secrets/…`)."
  value = join("/", [
    "projects/${var.project}/secrets",
    google_secret_manager_secret.signing.secret_id,
  ])
}
