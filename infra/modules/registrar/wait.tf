# The identity that apply waits with. Terraform keeps its token in the state, so
# it may do nothing but read from the registrar.
resource "google_service_account" "wait" {
  count        = var.wait ? 1 : 0
  project      = var.project
  account_id   = "${var.name}-wait"
  display_name = "${var.name}: apply's identity at the registrar"
}

resource "google_service_account_iam_member" "deployer" {
  count              = var.wait ? 1 : 0
  service_account_id = google_service_account.wait[0].name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = var.deployer
}

# New grants take a while to hold everywhere, and the provider does not retry a
# refusal.
resource "time_sleep" "grants" {
  count           = var.wait ? 1 : 0
  create_duration = "${var.propagation_seconds}s"
  triggers = {
    deployer        = var.deployer
    service_account = google_service_account.wait[0].email
    uri             = module.function.uri
  }

  depends_on = [google_service_account_iam_member.deployer, module.function]
}
