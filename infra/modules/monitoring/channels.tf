resource "google_monitoring_notification_channel" "emails" {
  for_each     = toset(var.alerts.enabled ? var.alerts.emails : [])
  project      = var.project
  display_name = "${var.name}: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }
}

locals {
  channels = concat(
    var.alerts.notification_channels,
    [
      for channel in google_monitoring_notification_channel.emails : channel.id
    ],
  )
}
