# Every option at once: routes, a subscriber of each kind, jobs and their
# results, the archive, a key and storage regions of your own, and alerts.

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

variable "application" {
  description = "IAM member that starts jobs."
  type        = string
}

variable "deployer" {
  description = "IAM member that applies."
  type        = string
}

variable "events_table" {
  description = "BigQuery table for events (`PROJECT.DATASET.TABLE`)."
  type        = string
}

variable "events_bucket" {
  description = "Cloud Storage bucket for events."
  type        = string
}

variable "gemini_api_key" {
  description = "Gemini API key."
  type        = string
  ephemeral   = true
  sensitive   = true
}

variable "kms_key" {
  description = "Full name of the key that encrypts everything."
  type        = string
}

variable "notification_channel" {
  description = "Full name of the notification channel for alerts."
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

variable "worker_url" {
  description = "URL of a Cloud Run service that takes events."
  type        = string
}

module "relay" {
  source                  = "../.."
  project                 = var.project
  region                  = var.region
  name                    = "relay-staging"
  deployer                = var.deployer
  gemini_api_key          = var.gemini_api_key
  gemini_api_key_version  = 2
  kms_key                 = var.kms_key
  labels                  = { environment = "staging", team = "batch" }
  message_storage_regions = [var.region]

  alerts = {
    emails                 = ["team@example.com"]
    notification_channels  = [var.notification_channel]
    oldest_unacked_seconds = 900
  }

  archive = {
    delete_after_days = 365
    force_destroy     = true
  }

  collect = {
    delete_after_days = 90
    filter            = "attributes.ce-type = \"batch.succeeded\""
    force_destroy     = true
  }

  functions = {
    receiver = {
      max_instances = 20
      min_instances = 1
    }
  }

  jobs = {
    adopt         = "batches"
    clients       = [var.application]
    give_up_hours = 96
  }

  ledger = {
    dedup_retention_days   = 14
    delete_protection      = false
    point_in_time_recovery = true
  }

  rotation = {
    days                = 7
    revocation_behavior = "revoke_previous_secrets_immediately"
  }

  routes = {
    blue = {
      metadata = { team = "blue" }
      types    = ["batch.*"]
    }
    videos = {
      types = ["video.generated"]
    }
  }

  subscribers = {
    audit = {
      bigquery = {
        table = var.events_table
      }
    }
    lake = {
      storage = {
        bucket = var.events_bucket
        prefix = "gemini/"
        suffix = ".avro"
      }
    }
    notebook = {
      filter = "hasPrefix(attributes.ce-type, \"batch.\")"
      pull = {
        consumers = [var.deployer]
      }
      topic = "blue"
    }
    worker = {
      ack_deadline_seconds = 300
      dead_letter          = { max_attempts = 20 }
      filter               = "attributes.ce-type = \"interaction.completed\""
      push = {
        cloud_run_service = {
          location = var.region
          name     = "worker"
        }
        endpoint = var.worker_url
      }
      retry = { minimum_seconds = 30 }
    }
  }

  topic_retention = {
    events = "86400s"
  }

  verification = {
    jwt_audiences = ["https://events.example.com"]
    schemes       = ["v1", "v1a", "jwt"]
  }

  webhook = {
    events = [
      "batch.failed",
      "batch.succeeded",
      "interaction.completed",
      "video.generated",
    ]
    name = "staging"
    uri  = "https://events.example.com/gemini"
  }
}

output "jobs_database" {
  description = "The application's JOBS_DATABASE."
  value       = module.relay.jobs_database
}

output "next_steps" {
  description = "Commands to run next."
  value       = module.relay.next_steps
}

output "results_bucket" {
  description = "Bucket that takes the results of jobs."
  value       = module.relay.results_bucket
}

output "subscriptions" {
  description = "Subscriptions and the identities of pushes."
  value       = module.relay.subscriptions
}

output "topics" {
  description = "Full names of the topics."
  value       = module.relay.topics
}
