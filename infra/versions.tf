# No provider block: whoever applies this module chooses credentials, quota
# project and endpoints, through the provider's environment variables or a block
# of their own. Every resource names its project and region itself. This lists
# the providers of all modules in one place.

terraform {
  required_version = ">= 1.11"
  required_providers {
    # tflint-ignore: terraform_unused_required_providers
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.8"
    }
    google = {
      source  = "hashicorp/google"
      version = "~> 8.0"
    }
    # tflint-ignore: terraform_unused_required_providers
    http = {
      source  = "hashicorp/http"
      version = "~> 3.6"
    }
    # tflint-ignore: terraform_unused_required_providers
    time = {
      source  = "hashicorp/time"
      version = "~> 0.14"
    }
  }
}
