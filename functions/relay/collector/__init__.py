"""The collector: a subscriber of the events that copies the results of jobs into a bucket.

Imports the shared modules, `relay.web`, `relay.gcp`, `relay.gemini` and `relay.jobs`; no other hop.
"""
