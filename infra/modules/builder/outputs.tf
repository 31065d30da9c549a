output "build" {
  description = "What a function is built from, with and into, once the build identity may do so."
  value = {
    bucket          = google_storage_bucket.source.name
    object          = google_storage_bucket_object.source.name
    repository      = google_artifact_registry_repository.images.id
    service_account = google_service_account.build.id
  }
  depends_on = [time_sleep.grants]
}
