output "address" {
  description = "IP address that the domain has to point to."
  value       = google_compute_global_address.address.address
}
