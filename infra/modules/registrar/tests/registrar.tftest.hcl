mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      email  = "mocked@my-project.iam.gserviceaccount.com"
      member = "serviceAccount:mocked@my-project.iam.gserviceaccount.com"
      name   = "projects/my-project/serviceAccounts/mocked@my-project.iam.gserviceaccount.com"
    }
  }
  mock_resource "google_cloudfunctions2_function" {
    defaults = {
      service_config = { uri = "https://registrar.invalid" }
    }
  }
}
mock_provider "time" {}

variables {
  build = {
    bucket          = "my-project-relay-source"
    object          = "functions-0.zip"
    repository      = "projects/my-project/locations/europe-west1/repositories/relay"
    service_account = "projects/my-project/serviceAccounts/build@my-project.iam.gserviceaccount.com"
  }
  database = "relay"
  database_condition = {
    description = "Narrow."
    expression  = "resource.name == \"projects/my-project/databases/relay\""
    title       = "only-relay"
  }
  deployer  = "group:deployers@example.com"
  operators = ["user:ops@example.com"]
  gemini_api_key = {
    id        = "projects/my-project/secrets/relay-gemini-api-key"
    secret_id = "relay-gemini-api-key"
    version   = "1"
  }
  gemini_api_key_version = 1
  name                   = "relay"
  project                = "my-project"
  project_number         = "123456789012"
  region                 = "europe-west1"
  registered             = true
  rotation = {
    days                = 30
    revocation_behavior = "revoke_previous_secrets_after_h24"
    schedule            = "17 3 * * *"
  }
  runtime             = "python313"
  signing_secret      = "projects/my-project/secrets/relay-signing-secret"
  signing_secret_role = "projects/my-project/roles/relay_signing_secret_keeper"
  size = {
    concurrency   = 10
    cpu           = "1"
    environment   = {}
    max_instances = 3
    memory        = "512Mi"
    min_instances = 0
  }
  propagation_seconds = 0
  wait                = true
  webhook = {
    events = ["batch.failed", "batch.succeeded"]
    name   = "relay"
    uri    = "https://receiver.invalid"
  }
}

run "passes_the_desired_state" {
  assert {
    condition = module.function.environment == tomap({
      FIRESTORE_DATABASE   = "relay"
      GENERATION           = output.generation
      GOOGLE_CLOUD_PROJECT = "my-project"
      OIDC_AUDIENCE        = "https://relay-registrar-123456789012.europe-west1.run.app"
      SIGNING_SECRET       = "projects/my-project/secrets/relay-signing-secret"
      WEBHOOK_EVENTS       = "batch.failed,batch.succeeded"
      WEBHOOK_NAME         = "relay"
      WEBHOOK_STATE        = "present"
      WEBHOOK_URI          = "https://receiver.invalid"
      WRITERS              = "mocked@my-project.iam.gserviceaccount.com,ops@example.com"
    })
    error_message = "The environment is not what the registrar reads."
  }
  assert {
    condition     = google_cloud_scheduler_job.converge.schedule == "* * * * *"
    error_message = "The registrar does not converge every minute."
  }
  assert {
    condition = (
      google_cloud_scheduler_job.converge.http_target[0].uri
      == "https://registrar.invalid/converge"
    )
    error_message = "The schedule does not ask the registrar to converge."
  }
  assert {
    condition = alltrue([
      for job in [
        google_cloud_scheduler_job.converge,
        google_cloud_scheduler_job.rotate[0],
      ] :
      job.http_target[0].oidc_token[0].audience
      == "https://relay-registrar-123456789012.europe-west1.run.app"
    ])
    error_message = "A schedule's token has another audience."
  }
  assert {
    condition = (
      google_service_account_iam_member.deployer[0].role
      == "roles/iam.serviceAccountOpenIdTokenCreator"
    )
    error_message = "The deployer gets more than the identity's tokens."
  }
}

run "new_events_are_a_new_generation" {
  variables {
    webhook = {
      events = ["batch.failed"]
      name   = "relay"
      uri    = "https://receiver.invalid"
    }
  }
  assert {
    condition     = output.generation != run.passes_the_desired_state.generation
    error_message = "Apply would not wait for the new events."
  }
}

run "a_new_api_key_is_a_new_generation" {
  variables {
    gemini_api_key_version = 2
  }
  assert {
    condition     = output.generation != run.passes_the_desired_state.generation
    error_message = "Apply would not notice a wrong API key."
  }
}

run "a_new_size_keeps_the_generation" {
  variables {
    size = {
      concurrency   = 20
      cpu           = "2"
      environment   = {}
      max_instances = 3
      memory        = "1Gi"
      min_instances = 0
    }
  }
  assert {
    condition     = output.generation == run.passes_the_desired_state.generation
    error_message = "Apply would wait although nothing changes at Gemini."
  }
}

run "can_remove_the_webhook" {
  variables {
    registered = false
  }
  assert {
    condition     = module.function.environment.WEBHOOK_STATE == "absent"
    error_message = "The webhook would stay."
  }
  assert {
    condition     = output.generation != run.passes_the_desired_state.generation
    error_message = "Apply would not wait for the removal."
  }
}

run "without_wait_or_rotation_makes_neither" {
  variables {
    deployer  = null
    operators = []
    rotation = {
      days                = null
      revocation_behavior = "revoke_previous_secrets_after_h24"
      schedule            = "17 3 * * *"
    }
    wait = false
  }
  assert {
    condition = output.wait == null && 0 == length(concat(
      google_service_account.wait,
      google_service_account_iam_member.deployer,
      time_sleep.grants,
    ))
    error_message = "Something of the waiting identity is left."
  }
  assert {
    condition = (
      length(google_cloud_scheduler_job.rotate) == 0 &&
      output.jobs.rotate == null
    )
    error_message = "A schedule still rotates the signing secret."
  }
  assert {
    condition = (
      module.function.environment.WRITERS
      == google_service_account.schedules.email
    )
    error_message = "Somebody besides the schedules may change the webhook."
  }
}
