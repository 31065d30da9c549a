variable "kms_key" {
  description = "Key that encrypts the messages, by its full name; Google's own when null."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of every topic."
  type        = map(string)
  default     = {}
}

variable "message_storage_regions" {
  description = "Regions in which messages may be stored; any, if empty."
  type        = set(string)
  default     = []
}

variable "name" {
  description = "Prefix of the topics' names."
  type        = string
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "topics" {
  description = "Topics by the end of their name; `retention` is how long Pub/Sub keeps published messages for replay, in seconds with an `s`."
  type = map(object({
    retention = optional(string)
  }))
}
