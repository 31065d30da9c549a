variable "ack_deadline_seconds" {
  description = <<-EOT
    Seconds after which an unacknowledged message is delivered again; null is
    60, or `max_seconds` of `storage` if that is more.
  EOT
  type        = number
  default     = null
}

variable "bigquery" {
  description = <<-EOT
    Writes to the `table` (`PROJECT.DATASET.TABLE`); `grant` lets Pub/Sub do so.
  EOT
  type = object({
    drop_unknown_fields = optional(bool, true)
    grant               = optional(bool, true)
    table               = string
    use_table_schema    = optional(bool, false)
    write_metadata      = optional(bool, true)
  })
  default = null
}

variable "dead_letter" {
  description = <<-EOT
    Moves a message to the dead letters after `max_attempts` failed deliveries;
    null retries until it is 31 days old.
  EOT
  type = object({
    max_attempts = optional(number, 100)
  })
  default = {}
}

variable "filter" {
  description = "Pub/Sub filter on attributes; null selects everything."
  type        = string
  default     = null
}

variable "kms_key" {
  description = <<-EOT
    Full name of the key that encrypts the dead letters; null uses Google's own
    keys.
  EOT
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the subscription and of the dead-letter topic."
  type        = map(string)
  default     = {}
}

variable "message_storage_regions" {
  description = <<-EOT
    Regions in which Pub/Sub may store dead letters; empty allows any.
  EOT
  type        = set(string)
  default     = []
}

variable "name" {
  description = <<-EOT
    Name of the subscription, to which a digest of topic and filter is appended.
  EOT
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "propagation_seconds" {
  description = <<-EOT
    Seconds to wait after the service agent's grants have been made, until they
    hold everywhere.
  EOT
  type        = number
  default     = 180
}

variable "pubsub_agent" {
  description = "IAM member of the project's Pub/Sub service agent."
  type        = string
}

variable "pull" {
  description = "Lets the `consumers`, IAM members, pull."
  type = object({
    consumers = optional(list(string), [])
  })
  default = null
}

variable "push" {
  description = <<-EOT
    Posts to the `endpoint` with an identity token of `service_account`, or of
    an identity created for it; with `cloud_run_service`, that identity may
    invoke the service.
  EOT
  type = object({
    audience = optional(string)
    cloud_run_service = optional(object({
      location = string
      name     = string
      project  = optional(string)
    }))
    endpoint        = string
    service_account = optional(string)
    unwrapped       = optional(bool, false)
  })
  default = null
}

variable "retry" {
  description = <<-EOT
    Bounds of the pause before a message is delivered again, in seconds.
  EOT
  type = object({
    maximum_seconds = optional(number, 600)
    minimum_seconds = optional(number, 10)
  })
  default = {}
}

variable "storage" {
  description = <<-EOT
    Writes files to the `bucket`; `grant` lets Pub/Sub do so. A file is closed
    after `max_seconds`, which the acknowledgement deadline must allow.
  EOT
  type = object({
    avro        = optional(bool, true)
    bucket      = string
    grant       = optional(bool, true)
    max_bytes   = optional(number)
    max_seconds = optional(number, 300)
    prefix      = optional(string)
    suffix      = optional(string)
  })
  default = null

  validation {
    condition = var.storage == null || try(
      coalesce(var.ack_deadline_seconds, 600) >= var.storage.max_seconds,
      false,
    )
    error_message = join(" ", [
      "storage.max_seconds may not exceed ack_deadline_seconds: lower it,",
      "raise the deadline, or leave the deadline out.",
    ])
  }
}

variable "topic" {
  description = "Full name of the topic."
  type        = string
}
