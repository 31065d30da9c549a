variable "audience" {
  description = "Audience of the identity token."
  type        = string
}

variable "function" {
  description = "Name of the registrar's function."
  type        = string
}

variable "generation" {
  description = "Mark of the desired state that the registrar has to reach."
  type        = string
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "service_account" {
  description = "E-mail of the identity to ask as."
  type        = string
}

variable "uri" {
  description = "Address of the registrar."
  type        = string
}

variable "wait_seconds" {
  description = "Seconds to wait for the generation."
  type        = number
}
