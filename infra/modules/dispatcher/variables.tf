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

variable "dead_letter_topic" {
  description = "Full name of the dead-letter topic."
  type        = string
}

variable "dedup_retention_days" {
  description = "Days for which a repeated delivery is recognised."
  type        = number
}

variable "events_topic" {
  description = "Full name of the events topic."
  type        = string
}

variable "ingress_topic" {
  description = "Full name of the ingress topic."
  type        = string
}

variable "jobs" {
  description = <<-EOT
    Id of the jobs' Firestore database, and the IAM condition that limits a role
    to it: the `access` output of `jobs`; null follows no jobs.
  EOT
  type = object({
    condition = object({
      description = string
      expression  = string
      title       = string
    })
    database = string
  })
  default = null
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
  description = "Labels of the function and the subscription."
  type        = map(string)
  default     = {}
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

variable "pubsub_agent" {
  description = "IAM member of the project's Pub/Sub service agent."
  type        = string
}

variable "region" {
  description = "Region of the function."
  type        = string
}

variable "routes" {
  description = <<-EOT
    Routes besides the events topic. An event goes to the route's `topic` if its
    type matches a glob in `types` and its `user_metadata` contains all of
    `metadata`.
  EOT
  type = list(object({
    metadata = map(string)
    name     = string
    topic    = string
    types    = list(string)
  }))
  default = []
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
