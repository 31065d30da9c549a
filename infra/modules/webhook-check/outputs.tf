output "generation" {
  description = "Mark of the desired state, once the registrar has reached it."
  value       = var.generation
  depends_on  = [data.http.webhook]
}
