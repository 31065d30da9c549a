output "alert_policies" {
  description = "Display names of the alert policies."
  value = [
    for policy in concat(
      google_monitoring_alert_policy.backlog,
      google_monitoring_alert_policy.converge,
      google_monitoring_alert_policy.dead_letter_age,
      google_monitoring_alert_policy.dead_letters,
      google_monitoring_alert_policy.errors,
      google_monitoring_alert_policy.forbidden,
      google_monitoring_alert_policy.refused,
      google_monitoring_alert_policy.rotation_failed,
      google_monitoring_alert_policy.saturated,
      google_monitoring_alert_policy.unavailable,
      google_monitoring_alert_policy.unreachable,
      google_monitoring_alert_policy.webhook_disabled,
    ) : policy.display_name
  ]
}

output "channels" {
  description = "Full names of the notification channels of the alert policies."
  value       = local.channels
}

output "dashboard" {
  description = "Address of the dashboard."
  value = join("/", [
    "https://console.cloud.google.com/monitoring/dashboards/builder",
    "${local.dashboard_id}?project=${var.project}",
  ])
}
