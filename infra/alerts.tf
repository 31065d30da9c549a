check "alert_channels" {
  assert {
    condition = !var.alerts.enabled || (
      length(var.alerts.emails) + length(var.alerts.notification_channels) > 0
    )
    error_message = join(" ", [
      "Nobody is told when an alert fires. Name whom to write to, as in",
      "alerts = { emails = [\"team@example.com\"] }, or notification_channels",
      "that exist.",
    ])
  }
}
