# Finding the newest version takes both permissions, and no predefined role has
# just these two: secretAccessor cannot list.

resource "google_project_iam_custom_role" "reader" {
  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_signing_secret_reader"
  title       = "${var.name}: signing secret reader"
  description = "What the receiver may do with the signing secret."
  permissions = [
    "secretmanager.versions.access",
    "secretmanager.versions.list",
  ]
}

resource "google_project_iam_custom_role" "keeper" {
  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_signing_secret_keeper"
  title       = "${var.name}: signing secret keeper"
  description = "What the registrar may do with the signing secret."
  permissions = [
    "secretmanager.versions.access",
    "secretmanager.versions.add",
    "secretmanager.versions.disable",
    "secretmanager.versions.enable",
    "secretmanager.versions.list",
  ]
}
