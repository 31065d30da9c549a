# A change that Pub/Sub does not make in place changes the name, so that the new
# subscription can exist beside the old one. A file stays open no longer than
# the deadline.

mock_provider "google" {}
mock_provider "time" {}

variables {
  project      = "my-project"
  name         = "relay-worker"
  pubsub_agent = "serviceAccount:agent@example.com"
  topic        = "projects/my-project/topics/events"
}

run "plain" {
  command = plan
  variables {
    pull = {}
  }
  assert {
    condition = can(
      regex("^relay-worker-[0-9a-f]{8}$", output.subscription_name)
    )
    error_message = "The digest follows the name."
  }
  assert {
    condition = (
      google_pubsub_subscription.subscription.ack_deadline_seconds == 60
    )
    error_message = "The deadline is a minute."
  }
}

run "filtered" {
  command = plan
  variables {
    filter = "attributes.ce-type = \"batch.failed\""
    pull   = {}
  }
  assert {
    condition     = output.subscription_name != run.plain.subscription_name
    error_message = "Another filter is another name."
  }
}

run "elsewhere" {
  command = plan
  variables {
    pull  = {}
    topic = "projects/my-project/topics/blue"
  }
  assert {
    condition     = output.subscription_name != run.plain.subscription_name
    error_message = "Another topic is another name."
  }
}

run "changed_in_place" {
  command = plan
  variables {
    ack_deadline_seconds = 120
    dead_letter          = null
    push                 = { endpoint = "https://a.example.com" }
    retry                = { minimum_seconds = 30 }
  }
  assert {
    condition     = output.subscription_name == run.plain.subscription_name
    error_message = "What changes in place keeps the name."
  }
}

run "files" {
  command = plan
  variables {
    storage = { bucket = "lake", max_seconds = 400 }
  }
  assert {
    condition = (
      google_pubsub_subscription.subscription.ack_deadline_seconds == 400
    )
    error_message = "The deadline follows the files."
  }
}

run "files_that_stay_open_too_long" {
  command = plan
  variables {
    ack_deadline_seconds = 60
    storage              = { bucket = "lake" }
  }
  expect_failures = [var.storage]
}
