variable "gemini_api_key" {
  description = "Gemini API key. Write-only: it reaches Secret Manager and neither plan nor state."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "gemini_api_key_version" {
  description = "Number to raise when the API key changes."
  type        = number
  default     = 1
}

variable "kms_key" {
  description = "Key that encrypts the secrets, by its full name; Google's own when null."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of both secrets."
  type        = map(string)
  default     = {}
}

variable "name" {
  description = "Prefix of the secrets' and roles' names."
  type        = string
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region that holds the secrets' only replica."
  type        = string
}
