# A database that exists is never replaced for a new key or location, and a plan
# says so.

mock_provider "google" {}

variables {
  project  = "my-project"
  name     = "relay-jobs"
  location = "europe-west1"
}

run "created" {
  assert {
    condition = (
      google_firestore_database.jobs.location_id == "europe-west1"
    )
    error_message = "The database is somewhere else."
  }
}

run "a_later_key_and_location_change_nothing" {
  command = plan
  variables {
    kms_key  = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    location = "europe-west4"
  }
  assert {
    condition = (
      google_firestore_database.jobs.location_id == "europe-west1" &&
      length(google_firestore_database.jobs.cmek_config) == 0
    )
    error_message = "The database would be replaced."
  }
  expect_failures = [check.unchangeable]
}
