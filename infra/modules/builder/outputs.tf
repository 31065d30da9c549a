output "build" {
  description = "What a function is built from, with and into, once the build identity may do so."
  value = {
    bucket          = google_storage_bucket.source.name
    object          = google_storage_bucket_object.source.name
    repository      = "projects/${var.project}/locations/${var.region}/repositories/${google_artifact_registry_repository.images.repository_id}"
    service_account = "projects/${var.project}/serviceAccounts/${google_service_account.build.email}"
  }
  depends_on = [time_sleep.grants]
}
