mock_provider "google" {}
mock_provider "http" {}
mock_provider "time" {}

variables {
  alerts         = { emails = ["team@example.com"] }
  project        = "my-project"
  region         = "europe-west1"
  deployer       = "user:someone@example.com"
  gemini_api_key = "not-a-real-key"
  wait           = false
}

run "defaults" {
  command = plan
  assert {
    condition     = module.dispatcher.subscription == "gemini-webhooks-dispatch"
    error_message = "Names begin with the default name."
  }
}

run "nobody_is_told" {
  command = plan
  variables {
    alerts = {}
  }
  expect_failures = [check.alert_channels]
}

run "no_alerts" {
  command = plan
  variables {
    alerts = { enabled = false }
  }
  assert {
    condition     = length(module.monitoring.alert_policies) == 0
    error_message = "Without alerts nobody need be told."
  }
}
