variable "clients" {
  description = <<-EOT
    IAM members, service accounts above all, that may read and write this
    database and no other.
  EOT
  type        = list(string)
  default     = []
}

variable "delete_protection" {
  description = <<-EOT
    Whether the database refuses deletion and outlives `terraform destroy`.
  EOT
  type        = bool
  default     = true
}

variable "kms_key" {
  description = <<-EOT
    Full name of the key that encrypts the database; null uses Google's own
    keys. It counts when the database is created, and never again.
  EOT
  type        = string
  default     = null
}

variable "location" {
  description = <<-EOT
    Firestore location of the database. It counts when the database is created,
    and never again.
  EOT
  type        = string
}

variable "name" {
  description = "Id of the database."
  type        = string
}

variable "point_in_time_recovery" {
  description = <<-EOT
    Whether the database can be read as of any minute of the last seven days.
  EOT
  type        = bool
  default     = false
}

variable "project" {
  description = "Id of the project."
  type        = string
}
