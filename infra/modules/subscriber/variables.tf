variable "ack_deadline_seconds" {
  description = "Seconds until an unanswered message is delivered again."
  type        = number
  default     = 60
}

variable "bigquery" {
  description = "Writes to this table (`PROJECT.DATASET.TABLE`); with `grant`, Pub/Sub is given the right to."
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
  description = "Sets aside what fails this often; null retries until the message is 31 days old."
  type = object({
    max_attempts = optional(number, 100)
  })
  default = {}
}

variable "filter" {
  description = "Pub/Sub filter on the attributes; everything when null."
  type        = string
  default     = null
}

variable "kms_key" {
  description = "Key that encrypts the dead letters, by its full name; Google's own when null."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels."
  type        = map(string)
  default     = {}
}

variable "message_storage_regions" {
  description = "Regions in which dead letters may be stored; any, if empty."
  type        = set(string)
  default     = []
}

variable "name" {
  description = "Name of the subscription, but for the filter's digest."
  type        = string
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "propagation_seconds" {
  description = "Seconds to wait, on creation only, until the service agent's grants hold everywhere."
  type        = number
  default     = 60
}

variable "pubsub_agent" {
  description = "Pub/Sub's service agent of this project, as an IAM member."
  type        = string
}

variable "pull" {
  description = "Lets these IAM members pull."
  type = object({
    consumers = optional(list(string), [])
  })
  default = null
}

variable "push" {
  description = "Posts to this URL with an identity token, of an identity of its own unless one is given; with `cloud_run_service`, that identity may invoke it."
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
  description = "Bounds of the pause before a redelivery, in seconds."
  type = object({
    maximum_seconds = optional(number, 600)
    minimum_seconds = optional(number, 10)
  })
  default = {}
}

variable "storage" {
  description = "Writes files to this bucket; with `grant`, Pub/Sub is given the right to."
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
}

variable "topic" {
  description = "Full name of the topic."
  type        = string
}
