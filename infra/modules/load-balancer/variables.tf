variable "domain" {
  description = "Domain that Gemini delivers to."
  type        = string
}

variable "labels" {
  description = "Labels of the forwarding rule."
  type        = map(string)
  default     = {}
}

variable "name" {
  description = "Name of every part."
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "region" {
  description = "Region of the receiver."
  type        = string
}

variable "requests_per_minute" {
  description = "Requests of one address over which it gets 429."
  type        = number
  default     = 6000
}

variable "service" {
  description = "Name of the receiver's Cloud Run service."
  type        = string
}
