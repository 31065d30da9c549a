# Made-up values in the forms that the provider validates.

mock_resource "google_service_account" {
  defaults = {
    email  = "mock-identity@my-project.iam.gserviceaccount.com"
    id     = "projects/my-project/serviceAccounts/mock-identity@my-project.iam.gserviceaccount.com"
    member = "serviceAccount:mock-identity@my-project.iam.gserviceaccount.com"
    name   = "projects/my-project/serviceAccounts/mock-identity@my-project.iam.gserviceaccount.com"
  }
}

mock_resource "google_pubsub_topic" {
  defaults = {
    id = "projects/my-project/topics/mock"
  }
}

mock_resource "google_secret_manager_secret" {
  defaults = {
    id   = "projects/my-project/secrets/mock"
    name = "projects/123456789012/secrets/mock"
  }
}

mock_resource "google_secret_manager_secret_version" {
  defaults = {
    version = "1"
  }
}

mock_resource "google_project_iam_custom_role" {
  defaults = {
    id = "projects/my-project/roles/mock"
  }
}

mock_resource "google_artifact_registry_repository" {
  defaults = {
    id = "projects/my-project/locations/europe-west1/repositories/mock"
  }
}

mock_resource "google_cloudfunctions2_function" {
  defaults = {
    service_config = { uri = "https://mock-abcdefghij-ew.a.run.app" }
  }
}

mock_resource "google_monitoring_dashboard" {
  defaults = {
    id = "projects/123456789012/dashboards/mock"
  }
}

mock_data "google_project" {
  defaults = {
    number = "123456789012"
  }
}
