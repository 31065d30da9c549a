locals {
  # Topic and filter cannot be changed in place (nor can message ordering, which
  # is not offered). With the digest of both in the name, the new subscription
  # is created before the old one is deleted.
  subscription = join("-", [
    var.name,
    substr(sha256(jsonencode([var.topic, var.filter])), 0, 8),
  ])
  # A Cloud Storage subscription acknowledges a message once its file is closed,
  # so a file may not stay open longer than the deadline.
  ack_deadline_seconds = coalesce(
    var.ack_deadline_seconds,
    max(60, try(var.storage.max_seconds, 0)),
  )
  # An account id has at most 30 characters.
  account_id = (
    length(var.name) <= 30
    ? var.name
    : join("-", [
      trimsuffix(substr(var.name, 0, 24), "-"),
      substr(sha256(var.name), 0, 5),
    ])
  )
  identity = (
    var.push == null ? null : coalesce(
      var.push.service_account,
      one(google_service_account.push[*].email),
    )
  )
}

resource "google_pubsub_subscription" "subscription" {
  project                    = var.project
  name                       = local.subscription
  topic                      = var.topic
  ack_deadline_seconds       = local.ack_deadline_seconds
  filter                     = var.filter
  labels                     = var.labels
  message_retention_duration = "2678400s"

  dynamic "bigquery_config" {
    for_each = var.bigquery == null ? [] : [var.bigquery]
    content {
      drop_unknown_fields = (
        bigquery_config.value.use_table_schema
        ? bigquery_config.value.drop_unknown_fields
        : null
      )
      table            = bigquery_config.value.table
      use_table_schema = bigquery_config.value.use_table_schema
      write_metadata   = bigquery_config.value.write_metadata
    }
  }

  dynamic "cloud_storage_config" {
    for_each = var.storage == null ? [] : [var.storage]
    content {
      bucket          = cloud_storage_config.value.bucket
      filename_prefix = cloud_storage_config.value.prefix
      filename_suffix = cloud_storage_config.value.suffix
      max_bytes       = cloud_storage_config.value.max_bytes
      max_duration    = "${cloud_storage_config.value.max_seconds}s"

      dynamic "avro_config" {
        for_each = cloud_storage_config.value.avro ? [""] : []
        content {
          write_metadata = true
        }
      }
    }
  }

  dynamic "dead_letter_policy" {
    for_each = var.dead_letter == null ? [] : [var.dead_letter]
    content {
      dead_letter_topic     = module.dead_letter[0].topic
      max_delivery_attempts = dead_letter_policy.value.max_attempts
    }
  }

  expiration_policy {
    ttl = ""
  }

  dynamic "push_config" {
    for_each = var.push == null ? [] : [var.push]
    content {
      # Pub/Sub sets this by itself, and every plan would remove it again.
      attributes    = { x-goog-version = "v1" }
      push_endpoint = push_config.value.endpoint

      dynamic "no_wrapper" {
        for_each = push_config.value.unwrapped ? [""] : []
        content {
          write_metadata = true
        }
      }

      oidc_token {
        audience = coalesce(
          push_config.value.audience,
          push_config.value.endpoint,
        )
        service_account_email = local.identity
      }
    }
  }

  retry_policy {
    minimum_backoff = "${var.retry.minimum_seconds}s"
    maximum_backoff = "${var.retry.maximum_seconds}s"
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [time_sleep.grants]
}

module "dead_letter" {
  source                  = "../dead-letter"
  count                   = var.dead_letter == null ? 0 : 1
  project                 = var.project
  name                    = "${var.name}-dead-letter"
  kms_key                 = var.kms_key
  labels                  = var.labels
  message_storage_regions = var.message_storage_regions
  pubsub_agent            = var.pubsub_agent
}
