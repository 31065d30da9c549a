locals {
  # For the modules that have alerts of their own.
  alerts = {
    channels = module.monitoring.channels
    enabled  = var.alerts.enabled
  }
  # For the alerts that watch every function.
  further_services = concat(
    module.reconciler[*].function,
    module.collector[*].function,
  )
}
