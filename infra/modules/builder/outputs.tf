output "build" {
  description = <<-EOT
    What a function is built from and into, once the build identity has its
    grants.
  EOT
  value = {
    bucket = google_storage_bucket.source.name
    object = google_storage_bucket_object.source.name
    repository = join("/", [
      "projects/${var.project}/locations/${var.region}/repositories",
      google_artifact_registry_repository.images.repository_id,
    ])
    service_account = join("/", [
      "projects/${var.project}/serviceAccounts",
      google_service_account.build.email,
    ])
  }
  depends_on = [time_sleep.grants]
}
