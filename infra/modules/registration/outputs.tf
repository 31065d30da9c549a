output "generation" {
  description = "Mark of the desired state, once it has been reached."
  value       = var.generation
  depends_on  = [data.http.webhook]
}
