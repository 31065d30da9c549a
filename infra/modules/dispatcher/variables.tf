variable "build" {
  description = "What the function is built from, with and into: the output of the builder."
  type = object({
    bucket          = string
    object          = string
    repository      = string
    service_account = string
  })
}

variable "database" {
  description = "Database id of the ledger."
  type        = string
}

variable "database_condition" {
  description = "IAM condition that narrows a project's Firestore role to the ledger."
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

variable "kms_key" {
  description = "Key that encrypts the function, by its full name; Google's own when null."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels."
  type        = map(string)
  default     = {}
}

variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "project_number" {
  description = "Project number."
  type        = string
}

variable "pubsub_agent" {
  description = "Pub/Sub's service agent of this project, as an IAM member."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "routes" {
  description = "Routes beside the events topic, as the dispatcher reads them."
  type = list(object({
    metadata = map(string)
    name     = string
    topic    = string
    types    = list(string)
  }))
  default = []
}

variable "runtime" {
  description = "Cloud Functions runtime."
  type        = string
}

variable "size" {
  description = "Size of one instance, requests it takes at once, bounds on their number, and additional environment variables."
  type = object({
    concurrency   = number
    cpu           = string
    environment   = map(string)
    max_instances = number
    memory        = string
    min_instances = number
  })
}
