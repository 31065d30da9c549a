"""`hooks listen`: events sent to a URL, as Pub/Sub would push them.

Imports the shared modules of `hooks`, those of `hooks.events`, and `localcloud.pubsub`.
"""
