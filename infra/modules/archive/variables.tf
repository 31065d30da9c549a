variable "delete_after_days" {
  description = "Days after which a file is deleted; never, if null."
  type        = number
  default     = null
}

variable "file_seconds" {
  description = "Seconds after which a file is closed and a new one begun."
  type        = number
  default     = 300
}

variable "force_destroy" {
  description = "Whether `terraform destroy` deletes the archived files with the bucket."
  type        = bool
  default     = false
}

variable "kms_key" {
  description = "Key that encrypts the files, by its full name; Google's own when null."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels."
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
  description = "Project id."
  type        = string
}

variable "propagation_seconds" {
  description = "Seconds to wait, on creation only, until the service agent's grants hold everywhere."
  type        = number
  default     = 60
}

variable "pubsub_agent" {
  description = "Pub/Sub's service agent of this project, as an IAM member."
  type        = string
}

variable "topics" {
  description = "Full names of the topics to archive, by the name of their folder."
  type        = map(string)
}
