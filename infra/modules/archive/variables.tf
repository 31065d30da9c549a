variable "delete_after_days" {
  description = "Days after which a file is deleted; null keeps files for ever."
  type        = number
  default     = null
}

variable "file_seconds" {
  description = "Seconds after which a file is closed and a new one begun."
  type        = number
  default     = 300

  validation {
    condition     = var.file_seconds >= 60 && var.file_seconds <= 600
    error_message = "file_seconds must be between 60 and 600."
  }
}

variable "force_destroy" {
  description = <<-EOT
    Whether `terraform destroy` deletes the archived files with the bucket.
  EOT
  type        = bool
  default     = false
}

variable "kms_key" {
  description = <<-EOT
    Full name of the key that encrypts the files; null uses Google's own keys.
  EOT
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the bucket and the subscriptions."
  type        = map(string)
  default     = {}
}

variable "location" {
  description = "Location of the bucket."
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

variable "propagation_seconds" {
  description = <<-EOT
    Seconds to wait after the service agent's grants have been made, until they
    hold everywhere.
  EOT
  type        = number
  default     = 180
}

variable "pubsub_agent" {
  description = "IAM member of the project's Pub/Sub service agent."
  type        = string
}

variable "topics" {
  description = <<-EOT
    Full names of the topics to archive, by the name of their folder in the
    bucket.
  EOT
  type        = map(string)
}
