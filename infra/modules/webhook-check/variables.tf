variable "audience" {
  description = "Audience of the identity token."
  type        = string
}

variable "function" {
  description = "Name of the registrar's function, for the hint at its logs."
  type        = string
}

variable "generation" {
  description = "Mark of the desired state that the registrar has to reach."
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "region" {
  description = "Region of the registrar."
  type        = string
}

variable "service_account" {
  description = "E-mail address of the identity to ask as."
  type        = string
}

variable "uri" {
  description = "Address of the registrar."
  type        = string
}

variable "wait_seconds" {
  description = <<-EOT
    Seconds to wait until the registrar has reached the generation.
  EOT
  type        = number
}
