# Put together from what is known before the topics are made, for the plan to
# show.
output "topics" {
  description = "Full topic names (`projects/…/topics/…`) by the key they were asked for with."
  value       = { for key, topic in google_pubsub_topic.topics : key => "projects/${topic.project}/topics/${topic.name}" }
}
