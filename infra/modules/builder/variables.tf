variable "kms_key" {
  description = "Key that encrypts archives and images, by its full name; Google's own when null."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of bucket and repository."
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

variable "propagation_seconds" {
  description = "Seconds to wait, on creation only, until the build identity's grants hold everywhere."
  type        = number
  default     = 60
}

variable "region" {
  description = "Region of bucket and repository."
  type        = string
}

variable "requirements" {
  description = "Path of the pinned requirements."
  type        = string
}

variable "source_dir" {
  description = "Path of the directory whose files, `main.py` among them, are deployed."
  type        = string
}
