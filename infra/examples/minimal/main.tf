# Three values make a deployment; the API key comes from the environment:
#   read -rs TF_VAR_gemini_api_key && export TF_VAR_gemini_api_key

# Exact versions: what was planned here is what is applied elsewhere.
terraform {
  required_version = ">= 1.11"
  required_providers {
    # tflint-ignore: terraform_unused_required_providers
    archive = {
      source  = "hashicorp/archive"
      version = "2.8.0"
    }
    google = {
      source  = "hashicorp/google"
      version = "8.0.0"
    }
    # tflint-ignore: terraform_unused_required_providers
    http = {
      source  = "hashicorp/http"
      version = "3.6.1"
    }
    # tflint-ignore: terraform_unused_required_providers
    time = {
      source  = "hashicorp/time"
      version = "0.14.1"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

variable "gemini_api_key" {
  description = "Gemini API key."
  type        = string
  ephemeral   = true
  sensitive   = true
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

module "relay" {
  source         = "../.."
  project        = var.project
  region         = var.region
  gemini_api_key = var.gemini_api_key
}

output "webhook_url" {
  description = "Address that Gemini delivers to."
  value       = module.relay.webhook_url
}
