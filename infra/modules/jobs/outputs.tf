output "access" {
  description = <<-EOT
    Id of the database, and the IAM condition that limits a project-wide
    Firestore role to it.
  EOT
  value = {
    condition = local.condition
    database  = local.database
  }
}
