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

variable "description" {
  description = "What the function is for, as the console shows it."
  type        = string
}

variable "entry_point" {
  description = <<-EOT
    Name of the function in `main.py` that functions-framework serves.
  EOT
  type        = string
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
  default     = {}
}

variable "internal" {
  description = "Whether only services of the project can reach the function."
  type        = bool
}

variable "invokers" {
  description = "IAM members that may invoke the function, by an arbitrary key."
  type        = map(string)
  default     = {}
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
    Whether the internet reaches the function only through a load balancer.
  EOT
  type        = bool
  default     = false
}

variable "name" {
  description = "Name of the function and of its Cloud Run service."
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "propagation_seconds" {
  description = <<-EOT
    Seconds to wait before the deployment, if it needs secrets, until the right
    to them holds everywhere.
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
  default     = "python313"
}

variable "secret_environment" {
  description = <<-EOT
    Environment variables whose values are versions of secrets, by name.
  EOT
  type = map(object({
    secret_id = string
    version   = string
  }))
  default = {}
}

variable "service_account" {
  description = "E-mail address of the identity that the function runs as."
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

variable "timeout_seconds" {
  description = "Seconds after which a request is cut off."
  type        = number
  default     = 60
}
