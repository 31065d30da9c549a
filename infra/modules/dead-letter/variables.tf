variable "kms_key" {
  description = "Key that encrypts the messages, by its full name; Google's own when null."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the topic and its subscription."
  type        = map(string)
  default     = {}
}

variable "message_storage_regions" {
  description = "Regions in which messages may be stored; any, if empty."
  type        = set(string)
  default     = []
}

variable "name" {
  description = "Name of the topic and of its subscription."
  type        = string
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "pubsub_agent" {
  description = "Pub/Sub's service agent of this project, as an IAM member."
  type        = string
}
