variable "alerts" {
  description = <<-EOT
    Addresses and channels to notify, and thresholds of the alert policies;
    `enabled = false` creates the dashboard alone.
  EOT
  type = object({
    dead_letter_age_days   = number
    emails                 = list(string)
    enabled                = bool
    error_ratio            = number
    forbidden_per_hour     = number
    notification_channels  = list(string)
    oldest_unacked_seconds = number
    refused_per_hour       = number
    saturated_per_minute   = number
    unavailable_ratio      = number
  })
}

variable "converge_job" {
  description = "Name of the schedule that has the registrar converge."
  type        = string
}

variable "dead_letter_subscriptions" {
  description = "Names of the subscriptions that hold dead letters, by owner."
  type        = map(string)
}

variable "dispatcher" {
  description = "Name of the dispatcher's Cloud Run service."
  type        = string
}

variable "further_services" {
  description = <<-EOT
    Names of further Cloud Run services whose errors and refusals are watched.
  EOT
  type        = list(string)
  default     = []
}

variable "name" {
  description = "Prefix of every display name."
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "propagation_seconds" {
  description = <<-EOT
    Seconds to wait after a log-based metric has been made, until an alert can
    refer to it.
  EOT
  type        = number
  default     = 180
}

variable "receiver" {
  description = "Name of the receiver's Cloud Run service."
  type        = string
}

variable "receiver_host" {
  description = "Host of the address that Gemini delivers to."
  type        = string
}

variable "receiver_path" {
  description = "Path of the address that Gemini delivers to."
  type        = string
  default     = ""
}

variable "region" {
  description = "Region of the services."
  type        = string
}

variable "registrar" {
  description = "Name of the registrar's Cloud Run service."
  type        = string
}

variable "rotates" {
  description = "Whether a schedule rotates the signing secret."
  type        = bool
}

variable "rotation_job" {
  description = <<-EOT
    Name of the schedule that rotates the signing secret; null without rotation.
  EOT
  type        = string
  default     = null
}

variable "subscriptions" {
  description = "Names of the subscriptions whose backlog is watched, by owner."
  type        = map(string)
}
