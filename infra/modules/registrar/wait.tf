# Whom apply waits as. Terraform keeps the token it gets for this identity in
# its state, so the identity may do nothing but ask the registrar.
resource "google_service_account" "wait" {
  count        = var.wait == null ? 0 : 1
  project      = var.project
  account_id   = "${var.name}-wait"
  display_name = "${var.name}: apply's identity at the registrar"
}

resource "google_service_account_iam_member" "deployer" {
  count              = var.wait == null ? 0 : 1
  service_account_id = google_service_account.wait[0].name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = var.deployer
}

# New grants take a while to hold everywhere, and a refusal is not retried.
resource "time_sleep" "grants" {
  count           = var.wait == null ? 0 : 1
  create_duration = "${var.wait.propagation_seconds}s"
  triggers = {
    deployer        = var.deployer
    service_account = google_service_account.wait[0].email
    uri             = module.function.uri
  }

  depends_on = [google_service_account_iam_member.deployer, module.function]
}
