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
  description = <<-EOT
    Id of the Firestore database that holds the registrar's document.
  EOT
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

variable "deployer" {
  description = <<-EOT
    IAM member that applies. It may invoke the registrar and, with `wait`, get
    identity tokens of the waiting identity.
  EOT
  type        = string
  default     = null
}

variable "gemini_api_key" {
  description = "Secret of the API key, and the number of the version to mount."
  type = object({
    id        = string
    secret_id = string
    version   = string
  })
}

variable "gemini_api_key_version" {
  description = <<-EOT
    Number that is raised when the API key changes. Unlike the version's number,
    the plan knows it.
  EOT
  type        = number
}

variable "gemini_base_url" {
  description = "Base URL of the Gemini API; null is Google's."
  type        = string
  default     = null
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

variable "operators" {
  description = <<-EOT
    IAM members, besides the deployer, that may change the webhook (`user:…` or
    `serviceAccount:…`).
  EOT
  type        = list(string)
  default     = []
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
  description = "Region of the function and its schedules."
  type        = string
}

variable "registered" {
  description = "Whether the webhook is to exist at Gemini."
  type        = bool
}

variable "rotation" {
  description = <<-EOT
    Rotation of the signing secret: its age in `days` at which it is rotated
    (null: never), what happens to the previous secret, and the `schedule` of
    the check (cron, UTC).
  EOT
  type = object({
    days                = number
    revocation_behavior = string
    schedule            = string
  })
}

variable "runtime" {
  description = "Runtime of Cloud Functions."
  type        = string
}

variable "signing_secret" {
  description = "Full name of the signing secret."
  type        = string
}

variable "signing_secret_role" {
  description = <<-EOT
    Role that lets the registrar add, enable, disable, list and access versions
    of the signing secret.
  EOT
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

variable "wait" {
  description = <<-EOT
    Whether to create the identity that apply waits with, and to wait until its
    grants hold.
  EOT
  type        = bool
  default     = false
}

variable "webhook" {
  description = "The webhook as it is to be at Gemini."
  type = object({
    events = list(string)
    name   = string
    uri    = string
  })
}
