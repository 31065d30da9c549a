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
  description = "Database id of the registrar's own document."
  type        = string
}

variable "database_condition" {
  description = "IAM condition that narrows a project's Firestore role to that database."
  type = object({
    description = string
    expression  = string
    title       = string
  })
}

variable "deployer" {
  description = "IAM member that applies: it may call the registrar and, to wait, get a token of the waiting identity."
  type        = string
  default     = null
}

variable "gemini_api_key" {
  description = "Secret of the API key and the number of its version."
  type = object({
    id        = string
    secret_id = string
    version   = string
  })
}

variable "gemini_api_key_version" {
  description = "Number that is raised when the API key changes, known before it has."
  type        = number
}

variable "gemini_base_url" {
  description = "Base URL of the Gemini API; Google's when null."
  type        = string
  default     = null
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

variable "region" {
  description = "Region."
  type        = string
}

variable "registered" {
  description = "Whether the webhook is to exist at Gemini."
  type        = bool
}

variable "rotation" {
  description = "Age in days at which the signing secret is rotated (null: never), what becomes of the old one, and when to look (cron, UTC)."
  type = object({
    days                = number
    revocation_behavior = string
    schedule            = string
  })
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
  description = "Role that lets the registrar keep the signing secret's versions."
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

variable "wait" {
  description = "Makes the identity that apply waits with; `propagation_seconds` is how long its grants take to hold."
  type = object({
    propagation_seconds = number
  })
  default = null
}

variable "webhook" {
  description = "The webhook as it should be."
  type = object({
    events = list(string)
    name   = string
    uri    = string
  })
}
