mock_provider "google" {}
mock_provider "http" {}
mock_provider "time" {}

variables {
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
