resource "google_secret_manager_secret" "gemini_api_key" {
  project   = var.project
  secret_id = "${var.name}-gemini-api-key"
  labels    = var.labels

  replication {
    user_managed {
      replicas {
        location = var.region
        dynamic "customer_managed_encryption" {
          for_each = var.kms_key == null ? [] : [var.kms_key]
          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }
}

resource "google_secret_manager_secret_version" "gemini_api_key" {
  secret                 = google_secret_manager_secret.gemini_api_key.id
  secret_data_wo         = var.gemini_api_key
  secret_data_wo_version = tostring(var.gemini_api_key_version)

  lifecycle {
    # The registrar reads a version by its number, so the old version goes only
    # after the registrar has the number of the new one.
    create_before_destroy = true
  }
}

# Terraform adds no version: Gemini shows the signing secret once, to the
# registrar, which adds it.
resource "google_secret_manager_secret" "signing" {
  project   = var.project
  secret_id = "${var.name}-signing-secret"
  labels    = var.labels

  replication {
    user_managed {
      replicas {
        location = var.region
        dynamic "customer_managed_encryption" {
          for_each = var.kms_key == null ? [] : [var.kms_key]
          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }
}
