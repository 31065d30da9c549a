variable "kms_key" {
  description = <<-EOT
    Full name of the key that encrypts archives and images; null uses Google's
    own keys.
  EOT
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the bucket and the repository."
  type        = map(string)
  default     = {}
}

variable "name" {
  description = "Prefix of every name."
  type        = string
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
    Seconds to wait after the build identity's grants have been made, until they
    hold everywhere.
  EOT
  type        = number
  default     = 180
}

variable "region" {
  description = "Region of the bucket and the repository."
  type        = string
}

variable "requirements" {
  description = "Path of the pinned requirements."
  type        = string
}

variable "source_dir" {
  description = "Path of the directory to deploy; `main.py` is in it."
  type        = string
}
