# Built from what is known before the topics exist, so that a plan shows the
# names.
output "topics" {
  description = <<-EOT
    Full names of the topics (`projects/…/topics/…`), by the keys of the input
    `topics`.
  EOT
  value = {
    for key, topic in google_pubsub_topic.topics :
    key => "projects/${topic.project}/topics/${topic.name}"
  }
}
