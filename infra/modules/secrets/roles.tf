# Predefined, the registrar's rights would be those of secretVersionManager and
# secretAccessor, and the former may destroy versions. The role's id differs in
# every deployment: Google blocks that of a deleted role for weeks.

resource "terraform_data" "keeper" {}

resource "google_project_iam_custom_role" "keeper" {
  project = var.project
  role_id = join("_", [
    replace(var.name, "-", "_"),
    "signing_secret_keeper",
    substr(terraform_data.keeper.id, 0, 8),
  ])
  title       = "${var.name}: signing secret keeper"
  description = "What the registrar may do with the signing secret."
  permissions = [
    "secretmanager.versions.access",
    "secretmanager.versions.add",
    "secretmanager.versions.disable",
    "secretmanager.versions.enable",
    "secretmanager.versions.list",
  ]

  lifecycle {
    create_before_destroy = true
  }
}
