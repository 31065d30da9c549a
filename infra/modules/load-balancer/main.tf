# What a flood sends is refused here, before an instance of the receiver is
# started and paid for.

locals {
  # A certificate cannot change in place, and its name is taken while it stands.
  certificate = "${var.name}-${substr(sha256(var.domain), 0, 8)}"
}

resource "google_compute_global_address" "address" {
  project = var.project
  name    = var.name
}

resource "google_compute_region_network_endpoint_group" "receiver" {
  project               = var.project
  region                = var.region
  name                  = var.name
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = var.service
  }
}

resource "google_compute_security_policy" "limit" {
  project     = var.project
  name        = var.name
  description = "Bounds the requests of any one address."

  rule {
    action      = "throttle"
    description = "Answer 429 over the limit."
    priority    = 1000

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      enforce_on_key = "IP"
      exceed_action  = "deny(429)"

      rate_limit_threshold {
        count        = var.requests_per_minute
        interval_sec = 60
      }
    }
  }

  # Every policy ends in a rule for what no other matches.
  rule {
    action      = "allow"
    description = "Never reached: the rule above matches every address."
    priority    = 2147483647

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}

resource "google_compute_backend_service" "receiver" {
  project               = var.project
  name                  = var.name
  load_balancing_scheme = "EXTERNAL_MANAGED"
  security_policy       = google_compute_security_policy.limit.id

  backend {
    group = google_compute_region_network_endpoint_group.receiver.id
  }
}

resource "google_compute_url_map" "receiver" {
  project         = var.project
  name            = var.name
  default_service = google_compute_backend_service.receiver.id
}

resource "google_compute_managed_ssl_certificate" "domain" {
  project = var.project
  name    = local.certificate

  managed {
    domains = [var.domain]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_target_https_proxy" "receiver" {
  project = var.project
  name    = var.name
  url_map = google_compute_url_map.receiver.id
  ssl_certificates = [
    google_compute_managed_ssl_certificate.domain.id,
  ]
}

resource "google_compute_global_forwarding_rule" "https" {
  project               = var.project
  name                  = var.name
  ip_address            = google_compute_global_address.address.id
  labels                = var.labels
  load_balancing_scheme = "EXTERNAL_MANAGED"
  port_range            = "443"
  target                = google_compute_target_https_proxy.receiver.id
}
