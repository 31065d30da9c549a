# Firestore has no IAM policy per database, so the role is on the project, with
# a condition.
resource "google_project_iam_member" "clients" {
  for_each = toset(var.clients)
  project  = var.project
  role     = "roles/datastore.user"
  member   = each.key

  condition {
    title       = local.condition.title
    description = local.condition.description
    expression  = local.condition.expression
  }
}
