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

  # Old archives stay. Named by its content, one may be what is left of a failed
  # apply and what the next one uploads again, and it would be deleted after
  # that. The bucket's own deletion takes them all.
  deletion_policy = "ABANDON"
}
