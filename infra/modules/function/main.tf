locals {
  environment = merge(
    { GOOGLE_CLOUD_PROJECT = var.project },
    var.environment,
    var.size.environment,
  )
  ingress = (
    var.internal
    ? "ALLOW_INTERNAL_ONLY"
    : var.load_balanced ? "ALLOW_INTERNAL_AND_GCLB" : "ALLOW_ALL"
  )
  service = google_cloudfunctions2_function.function.service_config[0]
}

# A revision that may not access the secrets in its environment does not start.
# Whoever calls this module has it depend on the grants.
resource "time_sleep" "rights" {
  count           = length(var.secret_environment) > 0 ? 1 : 0
  create_duration = "${var.propagation_seconds}s"
}

resource "google_cloudfunctions2_function" "function" {
  project      = var.project
  location     = var.region
  name         = var.name
  description  = var.description
  kms_key_name = var.kms_key
  labels       = var.labels

  build_config {
    docker_repository = var.build.repository
    entry_point       = var.entry_point
    runtime           = var.runtime
    service_account   = var.build.service_account

    # So that compiled code names its source by a hash. By default it names
    # the time of the source, which an image changes, and each instance that
    # starts would compile everything again.
    # https://docs.python.org/3/library/py_compile.html
    environment_variables = { SOURCE_DATE_EPOCH = "315532801" }

    source {
      storage_source {
        bucket = var.build.bucket
        object = var.build.object
      }
    }
  }

  service_config {
    all_traffic_on_latest_revision   = true
    available_cpu                    = var.size.cpu
    available_memory                 = var.size.memory
    environment_variables            = local.environment
    ingress_settings                 = local.ingress
    max_instance_count               = var.size.max_instances
    max_instance_request_concurrency = var.size.concurrency
    min_instance_count               = var.size.min_instances
    service_account_email            = var.service_account
    timeout_seconds                  = var.timeout_seconds

    dynamic "secret_environment_variables" {
      for_each = var.secret_environment
      content {
        key        = secret_environment_variables.key
        project_id = var.project
        secret     = secret_environment_variables.value.secret_id
        version    = secret_environment_variables.value.version
      }
    }
  }

  depends_on = [time_sleep.rights]
}

resource "google_cloud_run_v2_service_iam_member" "invokers" {
  for_each = var.invokers
  project  = var.project
  location = var.region
  name     = google_cloudfunctions2_function.function.name
  role     = "roles/run.invoker"
  member   = each.value
}
