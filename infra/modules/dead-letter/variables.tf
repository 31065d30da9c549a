variable "kms_key" {
  description = <<-EOT
    Full name of the key that encrypts the messages; null uses Google's own
    keys.
  EOT
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the topic and its subscription."
  type        = map(string)
  default     = {}
}

variable "message_storage_regions" {
  description = "Regions in which Pub/Sub may store messages; empty allows any."
  type        = set(string)
  default     = []
}

variable "name" {
  description = "Name of the topic and of its subscription."
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "pubsub_agent" {
  description = "IAM member of the project's Pub/Sub service agent."
  type        = string
}
