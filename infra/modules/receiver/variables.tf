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
  description = "Labels of the function."
  type        = map(string)
  default     = {}
}

variable "load_balanced" {
  description = <<-EOT
    Whether the internet reaches the receiver only through a load balancer.
  EOT
  type        = bool
  default     = false
}

variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "public" {
  description = <<-EOT
    Whether everybody may invoke the receiver. Without it, switch the check of
    the invoker off.
  EOT
  type        = bool
  default     = true
}

variable "region" {
  description = "Region of the function."
  type        = string
}

variable "runtime" {
  description = "Runtime of Cloud Functions."
  type        = string
}

variable "signing_secret" {
  description = "Full name of the signing secret."
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

variable "verification" {
  description = <<-EOT
    What the receiver accepts; null leaves a setting to the function's own
    default.
  EOT
  type = object({
    jwks_uri                    = optional(string)
    jwt_audiences               = optional(list(string), [])
    max_body_bytes              = optional(number, 262144)
    schemes                     = optional(list(string), ["v1"])
    timestamp_tolerance_seconds = optional(number, 300)
  })
  default = {}
}
