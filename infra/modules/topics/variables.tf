variable "kms_key" {
  description = <<-EOT
    Full name of the key that encrypts the messages; null uses Google's own
    keys.
  EOT
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of every topic."
  type        = map(string)
  default     = {}
}

variable "message_storage_regions" {
  description = "Regions in which Pub/Sub may store messages; empty allows any."
  type        = set(string)
  default     = []
}

variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "topics" {
  description = <<-EOT
    Topics by the end of their name. `retention` is how long Pub/Sub keeps
    published messages for replay, in seconds with an `s`; null keeps none.
  EOT
  type = map(object({
    retention = optional(string)
  }))
}
