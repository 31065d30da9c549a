variable "delete_protection" {
  description = "Whether the database refuses to be deleted and outlives `terraform destroy`."
  type        = bool
  default     = true
}

variable "kms_key" {
  description = "Key that encrypts the database, by its full name; Google's own when null."
  type        = string
  default     = null
}

variable "location" {
  description = "Firestore location."
  type        = string
}

variable "name" {
  description = "Database id."
  type        = string
}

variable "point_in_time_recovery" {
  description = "Whether the database can be read as of any minute of the last seven days."
  type        = bool
  default     = false
}

variable "project" {
  description = "Project id."
  type        = string
}
