output "topics" {
  description = "Full topic names (`projects/…/topics/…`) by the key they were asked for with."
  value       = { for key, topic in google_pubsub_topic.topics : key => topic.id }
}
