mock_provider "google" {
  source = "./tests/mocks"
}
mock_provider "time" {}

variables {
  project             = "my-project"
  region              = "europe-west1"
  deployer            = "group:deployers@example.com"
  gemini_api_key      = "not-a-real-key"
  propagation_seconds = 0
}

run "a_registration_that_failed_fails_the_apply" {
  command = apply

  override_data {
    target = data.http.webhook
    values = {
      response_body = "{\"generation\":\"\",\"in_sync\":false,\"reason\":\"Gemini refuses the uri\"}"
      status_code   = 200
    }
  }

  expect_failures = [data.http.webhook, check.webhook]
}
