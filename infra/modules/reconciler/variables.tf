variable "adopt" {
  description = <<-EOT
    Jobs that were started without the library and are followed too: `none`, or
    `batches` for the running batches of the API key's project.
  EOT
  type        = string
  default     = "none"
}

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

variable "budget_seconds" {
  description = "Seconds after which a run begins no further look at a job."
  type        = number
  default     = 240
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

variable "database" {
  description = "Id of the ledger's Firestore database."
  type        = string
}

variable "database_condition" {
  description = <<-EOT
    IAM condition that limits a project-wide Firestore role to the ledger: the
    `condition` output of `ledger`.
  EOT
  type = object({
    description = string
    expression  = string
    title       = string
  })
}

variable "events" {
  description = <<-EOT
    Types of the events that Gemini sends of itself: that the reconciler
    announces one is worth an alert.
  EOT
  type        = list(string)
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

variable "give_up_hours" {
  description = <<-EOT
    Hours after its start at which a job that cannot be found ended is given up
    as lost.
  EOT
  type        = number
  default     = 72
}

variable "ingress_topic" {
  description = "Full name of the ingress topic."
  type        = string
}

variable "jobs" {
  description = <<-EOT
    Id of the jobs' Firestore database, and the IAM condition that limits a role
    to it: the `access` output of `jobs`.
  EOT
  type = object({
    condition = object({
      description = string
      expression  = string
      title       = string
    })
    database = string
  })
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
  description = "Labels of the function."
  type        = map(string)
  default     = {}
}

variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "per_second" {
  description = "Calls of the Gemini API per second."
  type        = number
  default     = 5
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
  description = "Region of the function and its schedule."
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
