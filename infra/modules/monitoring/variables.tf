variable "alerts" {
  description = "Notification channels and thresholds; `enabled = false` makes the dashboard alone."
  type = object({
    dead_letter_age_days   = number
    enabled                = bool
    error_ratio            = number
    notification_channels  = list(string)
    oldest_unacked_seconds = number
    refused_per_minute     = number
    unavailable_ratio      = number
  })
}

variable "dead_letter_subscriptions" {
  description = "Names of the subscriptions that hold dead letters, by whose they are."
  type        = map(string)
}

variable "dispatcher" {
  description = "Name of the dispatcher's service."
  type        = string
}

variable "name" {
  description = "Prefix of every display name."
  type        = string
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "receiver" {
  description = "Name of the receiver's service."
  type        = string
}

variable "region" {
  description = "Region of the services."
  type        = string
}

variable "registrar" {
  description = "Name of the registrar's service."
  type        = string
}

variable "rotates" {
  description = "Whether there is a rotation to watch."
  type        = bool
}

variable "rotation_job" {
  description = "Name of the schedule that rotates the signing secret; null without rotation."
  type        = string
  default     = null
}

variable "subscriptions" {
  description = "Names of the subscriptions whose events must not wait, by whose they are."
  type        = map(string)
}
