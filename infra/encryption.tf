locals {
  # Read from the grants, so that whatever uses the key waits for them.
  kms_key = (
    var.kms_key == null
    ? null
    : values(google_kms_crypto_key_iam_member.agents)[0].crypto_key_id
  )
}

resource "google_kms_crypto_key_iam_member" "agents" {
  for_each = var.kms_key == null ? {} : {
    artifact-registry = "gcp-sa-artifactregistry"
    cloud-functions   = "gcf-admin-robot"
    cloud-run         = "serverless-robot-prod"
    cloud-storage     = "gs-project-accounts"
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

  depends_on = [google_project_service.services]
}
