locals {
  source_files = {
    for path in fileset(var.source_dir, "**") :
    path => "${var.source_dir}/${path}"
    if !can(regex("(^|/)(__pycache__|tests|\\.[^/]*)(/|$)|\\.pyc$", path))
  }
}

data "archive_file" "source" {
  type             = "zip"
  output_file_mode = "0644"
  # Several deployments may share a root module, and a name in their projects.
  output_path = join("/", [
    "${path.root}/.terraform",
    "${var.project}-${var.name}-source.zip",
  ])

  dynamic "source" {
    for_each = merge(
      local.source_files,
      { "requirements.txt" = var.requirements },
    )
    content {
      filename = source.key
      content  = file(source.value)
    }
  }
}

resource "google_storage_bucket_object" "source" {
  bucket = google_storage_bucket.source.name
  name   = "functions-${data.archive_file.source.output_md5}.zip"
  source = data.archive_file.source.output_path

  # The old archive goes first. The other way round, where an apply fails and
  # the next one has the old code again, Terraform would upload it under its
  # name and then delete what is left of the first upload: the same object. So
  # nothing that is created before it is destroyed may depend on this.
}
