mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      email  = "mocked@my-project.iam.gserviceaccount.com"
      member = "serviceAccount:mocked@my-project.iam.gserviceaccount.com"
    }
  }
  mock_resource "google_cloudfunctions2_function" {
    defaults = {
      service_config = { uri = "https://collector.invalid" }
    }
  }
}

variables {
  propagation_seconds = 0
  alerts              = { channels = [], enabled = false }
  build = {
    bucket          = "my-project-relay-source"
    object          = "functions-0.zip"
    repository      = "projects/my-project/locations/europe-west1/repositories/relay"
    service_account = "projects/my-project/serviceAccounts/build@my-project.iam.gserviceaccount.com"
  }
  dead_letter_topic = "projects/my-project/topics/relay-dead-letter"
  events_topic      = "projects/my-project/topics/relay-events"
  gemini_api_key = {
    id        = "projects/my-project/secrets/relay-gemini-api-key"
    secret_id = "relay-gemini-api-key"
    version   = "1"
  }
  ingress_topic  = "projects/my-project/topics/relay-ingress"
  location       = "europe-west1"
  name           = "relay"
  project        = "my-project"
  project_number = "123456789012"
  region         = "europe-west1"
  runtime        = "python313"
  size = {
    concurrency   = 4
    cpu           = "1"
    environment   = {}
    max_instances = 5
    memory        = "512Mi"
    min_instances = 0
  }
}

run "creates_a_bucket_and_may_write_to_it" {
  assert {
    condition = (
      google_storage_bucket.results[0].name == "my-project-relay-results" &&
      google_storage_bucket_iam_member.creator[0].bucket == output.bucket &&
      module.function.environment.BUCKET == "my-project-relay-results"
    )
    error_message = "The results have no bucket."
  }
  assert {
    condition     = length(google_monitoring_alert_policy.key_refused) == 0
    error_message = "There is an alert although alerts are off."
  }
}

run "another_filter_is_another_subscription" {
  variables {
    filter = "hasPrefix(attributes.ce-type, \"video.\")"
  }
  assert {
    condition = (
      output.subscription !=
      run.creates_a_bucket_and_may_write_to_it.subscription
    )
    error_message = "A filter cannot be changed in place."
  }
}

run "writes_to_a_bucket_that_exists" {
  command = plan
  variables {
    bucket = "lake"
  }
  assert {
    condition = (
      length(google_storage_bucket.results) == 0 &&
      google_storage_bucket_iam_member.creator[0].bucket == "lake" &&
      output.bucket == "lake"
    )
    error_message = "The bucket that exists is not used."
  }
}

run "leaves_the_grant_to_the_buckets_owner" {
  command = plan
  variables {
    bucket = "lake"
    grant  = false
  }
  assert {
    condition     = length(google_storage_bucket_iam_member.creator) == 0
    error_message = "The collector is granted something on a foreign bucket."
  }
}
