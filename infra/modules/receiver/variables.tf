variable "build" {
  description = "What the function is built from, with and into: the output of the builder."
  type = object({
    bucket          = string
    object          = string
    repository      = string
    service_account = string
  })
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

variable "region" {
  description = "Region."
  type        = string
}

variable "runtime" {
  description = "Cloud Functions runtime."
  type        = string
}

variable "signing_secret" {
  description = "Full name of the signing secret."
  type        = string
}

variable "signing_secret_role" {
  description = "Role that lets the receiver list and access the signing secret's versions."
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

variable "verification" {
  description = "What the receiver accepts; null leaves a setting to the function's own default."
  type = object({
    jwks_uri                    = optional(string)
    jwt_audiences               = optional(list(string), [])
    max_body_bytes              = optional(number, 262144)
    schemes                     = optional(list(string))
    timestamp_tolerance_seconds = optional(number, 300)
  })
  default = {}
}
