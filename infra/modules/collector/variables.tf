variable "alerts" {
  description = <<-EOT
    Full names of the notification channels of the alert policies; `enabled =
    false` creates no policies.
  EOT
  type = object({
    channels = list(string)
    enabled  = bool
  })
}

variable "bucket" {
  description = <<-EOT
    Name of an existing bucket that takes the results; null creates one.
  EOT
  type        = string
  default     = null
}

variable "build" {
  description = <<-EOT
    What the function is built from and into: the `build` output of `builder`.
  EOT
  type = object({
    bucket          = string
    object          = string
    repository      = string
    service_account = string
  })
}

variable "dead_letter_topic" {
  description = "Full name of the dead-letter topic."
  type        = string
}

variable "delete_after_days" {
  description = <<-EOT
    Days after which a result is deleted from the bucket that is created; null
    keeps results for ever.
  EOT
  type        = number
  default     = null
}

variable "events_topic" {
  description = "Full name of the events topic."
  type        = string
}

variable "filter" {
  description = <<-EOT
    Pub/Sub filter on attributes that selects the events whose results are
    collected; null selects all.
  EOT
  type        = string
  default     = null
}

variable "force_destroy" {
  description = <<-EOT
    Whether `terraform destroy` deletes the results with the bucket that was
    created.
  EOT
  type        = bool
  default     = false
}

variable "gemini_api_key" {
  description = "Secret of the API key, and the number of the version to mount."
  type = object({
    id        = string
    secret_id = string
    version   = string
  })
}

variable "gemini_base_url" {
  description = "Base URL of the Gemini API; null is Google's."
  type        = string
  default     = null
}

variable "grant" {
  description = <<-EOT
    Whether to let the collector create objects in the bucket that exists; false
    leaves that to its owner.
  EOT
  type        = bool
  default     = true
}

variable "ingress_topic" {
  description = "Full name of the ingress topic."
  type        = string
}

variable "kms_key" {
  description = <<-EOT
    Full name of the key that encrypts the function; null uses Google's own
    keys.
  EOT
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the function, the subscription and the bucket."
  type        = map(string)
  default     = {}
}

variable "location" {
  description = "Location of the bucket that is created."
  type        = string
}

variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "project_number" {
  description = "Number of the project."
  type        = string
}

variable "propagation_seconds" {
  description = <<-EOT
    Seconds to wait after grants have been made, until they hold everywhere.
  EOT
  type        = number
  default     = 180
}

variable "region" {
  description = "Region of the function."
  type        = string
}

variable "runtime" {
  description = "Runtime of Cloud Functions."
  type        = string
}

variable "size" {
  description = <<-EOT
    Size of an instance, the requests it takes at once, bounds on the number of
    instances, and additional environment variables.
  EOT
  type = object({
    concurrency   = number
    cpu           = string
    environment   = map(string)
    max_instances = number
    memory        = string
    min_instances = number
  })
}
