# The receiver answers a GET with 200 while it can be reached, and asks nothing
# for that.
resource "google_monitoring_uptime_check_config" "receiver" {
  count        = local.count
  project      = var.project
  display_name = "${var.name}: receiver"
  period       = "300s"
  timeout      = "10s"

  http_check {
    path         = coalesce(var.receiver_path, "/")
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      host       = var.receiver_host
      project_id = var.project
    }
  }
}
