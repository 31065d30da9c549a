output "condition" {
  description = <<-EOT
    IAM condition that limits a project-wide Firestore role to this database.
  EOT
  value = {
    title = "only-${local.database}"
    description = join(" ", [
      "Firestore has no policy per database:",
      "narrow the role to the ledger.",
    ])
    expression = "resource.name == \"${local.full_name}\""
  }
}

output "database" {
  description = "Id of the database."
  value       = local.database
}
