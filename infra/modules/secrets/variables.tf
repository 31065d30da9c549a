variable "gemini_api_key" {
  description = <<-EOT
    Gemini API key. It is write-only: it reaches Secret Manager, but neither
    plan nor state.
  EOT
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
  description = <<-EOT
    Full name of the key that encrypts the secrets; null uses Google's own keys.
  EOT
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of both secrets."
  type        = map(string)
  default     = {}
}

variable "name" {
  description = "Prefix of the names of the secrets and the role."
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "region" {
  description = "Region of the only replica of each secret."
  type        = string
}
