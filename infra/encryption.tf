locals {
  # Read from the wait, so that whatever uses the key comes after it.
  kms_key = one(time_sleep.key[*].triggers["key"])
}

resource "google_kms_crypto_key_iam_member" "agents" {
  for_each = var.kms_key == null ? {} : {
    artifact-registry = "gcp-sa-artifactregistry"
    cloud-functions   = "gcf-admin-robot"
    cloud-run         = "serverless-robot-prod"
    cloud-storage     = "gs-project-accounts"
    eventarc          = "gcp-sa-eventarc"
    firestore         = "gcp-sa-firestore"
    pubsub            = "gcp-sa-pubsub"
    secret-manager    = "gcp-sa-secretmanager"
  }
  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member = join("@", [
    "serviceAccount:service-${local.project_number}",
    "${each.value}.iam.gserviceaccount.com",
  ])

  depends_on = [time_sleep.services]
}

resource "time_sleep" "key" {
  count           = var.kms_key == null ? 0 : 1
  create_duration = "${var.propagation_seconds}s"
  triggers = {
    agents = join(",", keys(google_kms_crypto_key_iam_member.agents))
    key    = var.kms_key
  }

  depends_on = [google_kms_crypto_key_iam_member.agents]
}
