# No provider block: whoever applies this module decides about credentials,
# quota project and endpoints, by the provider's environment variables or by a
# block of their own. Every resource names its project and region itself.

terraform {
  required_version = ">= 1.11"
  required_providers {
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.8"
    }
    google = {
      source  = "hashicorp/google"
      version = "~> 8.0"
    }
    http = {
      source  = "hashicorp/http"
      version = "~> 3.6"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.14"
    }
  }
}
