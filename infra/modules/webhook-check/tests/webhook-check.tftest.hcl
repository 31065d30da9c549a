mock_provider "google" {}
mock_provider "http" {}

variables {
  audience        = "https://relay-registrar-123456789012.europe-west1.run.app"
  function        = "relay-registrar"
  generation      = "2fd4e1c67a2d28fc"
  project         = "my-project"
  region          = "europe-west1"
  service_account = "relay-wait@my-project.iam.gserviceaccount.com"
  uri             = "https://relay-registrar-abcdefghij-ew.a.run.app"
  wait_seconds    = 90
}

run "asks_for_its_generation" {
  command = plan

  override_data {
    target = data.http.webhook
    values = {
      response_body = <<-EOT
        {"generation": "2fd4e1c67a2d28fc", "in_sync": true}
      EOT
      status_code   = 200
    }
  }

  assert {
    condition = (
      data.http.webhook.url
      == "${var.uri}/webhook?generation=2fd4e1c67a2d28fc&wait=90"
    )
    error_message = "It asks at another address."
  }
  assert {
    condition     = data.http.webhook.request_timeout_ms > 90000
    error_message = "It hangs up before the registrar has answered."
  }
  assert {
    condition = (
      data.google_service_account_id_token.wait.target_audience == var.audience
    )
    error_message = "The token has another audience."
  }
}

run "fails_with_the_reason" {
  command = plan

  override_data {
    target = data.http.webhook
    values = {
      response_body = <<-EOT
        {
          "generation": "",
          "in_sync": false,
          "reason": "Gemini refuses the uri"
        }
      EOT
      status_code   = 200
    }
  }

  expect_failures = [data.http.webhook]
}

run "fails_on_another_generation" {
  command = plan

  override_data {
    target = data.http.webhook
    values = {
      response_body = <<-EOT
        {"generation": "0000000000000000", "in_sync": true}
      EOT
      status_code   = 200
    }
  }

  expect_failures = [data.http.webhook]
}

run "fails_without_the_right_to_ask" {
  command = plan

  override_data {
    target = data.http.webhook
    values = {
      response_body = "Forbidden"
      status_code   = 403
    }
  }

  expect_failures = [data.http.webhook]
}

run "fails_on_an_empty_answer" {
  command = plan

  override_data {
    target = data.http.webhook
    values = {
      response_body = ""
      status_code   = 200
    }
  }

  expect_failures = [data.http.webhook]
}

run "warns_of_drift" {
  command = plan

  override_data {
    target = data.http.webhook
    values = {
      response_body = <<-EOT
        {
          "generation": "2fd4e1c67a2d28fc",
          "in_sync": false,
          "reason": "its events differ"
        }
      EOT
      status_code   = 200
    }
  }

  expect_failures = [check.webhook]
}
