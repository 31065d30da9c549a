variable "build" {
  description = "What the function is built from, with and into: the output of the builder."
  type = object({
    bucket          = string
    object          = string
    repository      = string
    service_account = string
  })
}

variable "description" {
  description = "What the function is for."
  type        = string
}

variable "entry_point" {
  description = "Name in `main.py` that functions-framework serves."
  type        = string
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
  default     = {}
}

variable "internal" {
  description = "Whether only the project's own services reach the function."
  type        = bool
}

variable "invokers" {
  description = "IAM members that may call the function, by an arbitrary key."
  type        = map(string)
  default     = {}
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
  description = "Name of the function and of its Cloud Run service."
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
  default     = "python313"
}

variable "secret_environment" {
  description = "Environment variables that are mounted from Secret Manager, by version number."
  type = map(object({
    secret_id = string
    version   = string
  }))
  default = {}
}

variable "service_account" {
  description = "E-mail of the identity the function runs as."
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

variable "timeout_seconds" {
  description = "Seconds after which a request is cut off."
  type        = number
  default     = 60
}
